/**
 * What the TEE derives from a dataset's idKey (HKDF-SHA-256, RFC 5869, empty salt, 32 bytes): one key for each use, so that a
 * pseudonym says nothing about an id in the evidence, nor about the same person's pseudonym for another client.
 */
import { hkdfSync } from 'node:crypto'
import { canonicalBytes } from '../canonical.ts'
import { moveInto, type SecretMemory } from '../secretMemory.ts'
import type { Grant } from './grant.ts'

const KEY_BYTES = 32

/** In `memory`; the caller owns and frees it. */
export function pseudonymKey(
  idKey: Uint8Array,
  { client, purpose }: Pick<Grant, 'client' | 'purpose'>,
  memory: SecretMemory,
): Buffer {
  // Canonical JSON keeps the parts apart: "ab" ‖ "c" is not "a" ‖ "bc".
  const info = canonicalBytes(['pseudonym', client, purpose])
  return moveInto(memory, Buffer.from(hkdfSync('sha256', idKey, Buffer.alloc(0), info, KEY_BYTES)))
}
