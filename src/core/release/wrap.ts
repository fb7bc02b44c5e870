/** The keys of one object, DEK ‖ idKey, wrapped to the TEE's key and bound to nonce and header. */
import type { KeyObject } from 'node:crypto'
import { sha256 } from '../bytes.ts'
import { CodedError } from '../errors.ts'
import type { P256Jwk } from '../jwk.ts'
import { moveInto, type SecretMemory } from '../secretMemory.ts'
import { ID_KEY_BYTES } from './idKey.ts'
import { openSealed, sealTo } from './jwe.ts'

export const DEK_BYTES = 32

/** `apu` and `apv` of the JWE, which are also inputs of its key derivation. */
export type WrapContext = {
  readonly nonce: Uint8Array
  /** SHA-256 of the header as stored in the object (`headerDigest`). */
  readonly headerDigest: Uint8Array
}

/** Both in a `SecretMemory`. The receiver owns and frees them. */
export type ObjectKeys = { readonly dek: Buffer; readonly idKey: Buffer }

export function wrapKeys(keys: ObjectKeys, wrapKey: P256Jwk, context: WrapContext): string {
  if (keys.dek.byteLength !== DEK_BYTES || keys.idKey.byteLength !== ID_KEY_BYTES)
    throw new CodedError('internal.fault', 'a DEK and an idKey have 32 bytes each')
  const payload = Buffer.concat([keys.dek, keys.idKey])
  try {
    return sealTo(wrapKey, payload, partyInfo(context))
  } finally {
    payload.fill(0)
  }
}

/** Throws `key.unopened`. */
export function unwrapKeys(
  jwe: string,
  wrapKey: KeyObject,
  context: WrapContext,
  memory: SecretMemory,
): ObjectKeys {
  const payload = openSealed(jwe, wrapKey, partyInfo(context))
  try {
    if (payload.byteLength !== DEK_BYTES + ID_KEY_BYTES)
      throw new CodedError('key.unopened', `the JWE does not hold ${DEK_BYTES + ID_KEY_BYTES} bytes`)
    const dek = moveInto(memory, payload.subarray(0, DEK_BYTES))
    try {
      return { dek, idKey: moveInto(memory, payload.subarray(DEK_BYTES)) }
    } catch (error) {
      memory.free(dek)
      throw error
    }
  } finally {
    payload.fill(0)
  }
}

/** The keys of consent lists, in their order. `consentDigest`: of the grant's `consent`. */
export function wrapListKeys(
  deks: readonly Uint8Array[],
  wrapKey: P256Jwk,
  context: { readonly nonce: Uint8Array; readonly consentDigest: Uint8Array },
): string {
  const payload = Buffer.concat(deks)
  try {
    return sealTo(wrapKey, payload, { apu: sha256(context.nonce), apv: context.consentDigest })
  } finally {
    payload.fill(0)
  }
}

/** The key of the list at `index` of `count`, in `memory`; the caller frees it. Throws `key.unopened`. */
export function unwrapListKey(
  jwe: string,
  wrapKey: KeyObject,
  context: { readonly nonce: Uint8Array; readonly consentDigest: Uint8Array },
  { index, count }: { readonly index: number; readonly count: number },
  memory: SecretMemory,
): Buffer {
  const payload = openSealed(jwe, wrapKey, { apu: sha256(context.nonce), apv: context.consentDigest })
  try {
    if (payload.byteLength !== DEK_BYTES * count)
      throw new CodedError('key.unopened', `the JWE does not hold the keys of ${count} lists`)
    return moveInto(memory, payload.subarray(index * DEK_BYTES, (index + 1) * DEK_BYTES))
  } finally {
    payload.fill(0)
  }
}

function partyInfo({ nonce, headerDigest }: WrapContext): { apu: Buffer; apv: Uint8Array } {
  return { apu: sha256(nonce), apv: headerDigest }
}
