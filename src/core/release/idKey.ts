/** A dataset's idKey: how the Vault holds it, and the keys that the TEE derives from it. */
import { createHmac, hkdfSync } from 'node:crypto'
import { toBase64url } from '../bytes.ts'
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
  return derive(idKey, ['pseudonym', client, purpose], memory)
}

/** The keys of one computation, in a `SecretMemory`; the caller owns and frees them. */
export type UseKeys = { readonly pseudonym: Buffer; readonly output: Buffer }

export function useKeysOf(
  idKey: Uint8Array,
  grant: Pick<Grant, 'client' | 'purpose'>,
  memory: SecretMemory,
): UseKeys {
  const pseudonym = pseudonymKey(idKey, grant, memory)
  try {
    return { pseudonym, output: derive(idKey, ['output'], memory) }
  } catch (error) {
    memory.free(pseudonym)
    throw error
  }
}

/**
 * HMAC-SHA-256 of a result's plaintext: equal results are known by it, and only a holder of the identity key
 * can tell which one it is.
 */
export function outputDigestOf(output: Uint8Array, key: Uint8Array): string {
  return toBase64url(createHmac('sha256', key).update(output).digest())
}

function derive(idKey: Uint8Array, use: readonly string[], memory: SecretMemory): Buffer {
  // Canonical JSON keeps the parts apart: "ab" ‖ "c" is not "a" ‖ "bc".
  const info = canonicalBytes(use)
  return moveInto(memory, Buffer.from(hkdfSync('sha256', idKey, Buffer.alloc(0), info, ID_KEY_BYTES)))
}
