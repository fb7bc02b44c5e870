/** A dataset's idKey: how the Vault holds it, and the keys that the TEE derives from it. */
import { hkdfSync } from 'node:crypto'
import { canonicalBytes } from '../canonical.ts'
import { moveInto, type SecretMemory } from '../secretMemory.ts'
import type { Grant } from './grant.ts'

export const ID_KEY_BYTES = 32

/** The Vault authenticates this beside a wrapped idKey. */
export function idKeyAssociatedData(tenant: string, dataset: string): Record<string, string> {
  return { v: '1', tenant, dataset, use: 'id-key' }
}

/**
 * HKDF-SHA-256 (RFC 5869) with an empty salt, 32 bytes, in `memory`; the caller owns and frees it. Each use
 * has its own key: a pseudonym says nothing about an id in the evidence, nor about the same person's
 * pseudonym for another client.
 */
export function pseudonymKey(
  idKey: Uint8Array,
  { client, purpose }: Pick<Grant, 'client' | 'purpose'>,
  memory: SecretMemory,
): Buffer {
  // Canonical JSON keeps the parts apart: "ab" ‖ "c" is not "a" ‖ "bc".
  const info = canonicalBytes(['pseudonym', client, purpose])
  return moveInto(memory, Buffer.from(hkdfSync('sha256', idKey, Buffer.alloc(0), info, ID_KEY_BYTES)))
}
