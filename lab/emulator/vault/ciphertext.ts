/**
 * The Vault's ciphertext under an AES key, opaque to clients: one byte of format, 16 bytes that name the key
 * version, a nonce of 12 bytes, the ciphertext, a tag of 16 bytes. The associated data is authenticated and
 * not stored.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { sha256, utf8 } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import type { KeyVersion, VaultKey } from './keyring.ts'

export type AssociatedData = Readonly<Record<string, string>>

const FORMAT = 1
const NONCE_AT = 17
const BODY_AT = 29
const TAG_BYTES = 16

export function encryptAes(
  key: VaultKey,
  version: KeyVersion,
  plaintext: Uint8Array,
  data: AssociatedData,
): Buffer {
  const nonce = randomBytes(12)
  const cipher = createCipheriv(algorithmOf(key), version.material, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(associated(key, data))
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()])
  return Buffer.concat([Buffer.of(FORMAT), nameOf(version), nonce, body, cipher.getAuthTag()])
}

/** Undefined if it is not a ciphertext of this key, was changed, or has other associated data. */
export function decryptAes(
  key: VaultKey,
  ciphertext: Uint8Array,
  data: AssociatedData,
): { readonly plaintext: Buffer; readonly version: KeyVersion } | undefined {
  const bytes = Buffer.from(ciphertext)
  if (bytes.byteLength < BODY_AT + TAG_BYTES || bytes[0] !== FORMAT) return undefined
  const version = key.versions.find((each) => nameOf(each).equals(bytes.subarray(1, NONCE_AT)))
  if (version === undefined) return undefined
  const nonce = bytes.subarray(NONCE_AT, BODY_AT)
  const decipher = createDecipheriv(algorithmOf(key), version.material, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(associated(key, data))
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    const plaintext = Buffer.concat([decipher.update(bytes.subarray(BODY_AT, -TAG_BYTES)), decipher.final()])
    return { plaintext, version }
  } catch {
    return undefined
  }
}

function algorithmOf(key: VaultKey) {
  const bits = (key.versions[0]?.material.symmetricKeySize ?? 0) * 8
  return bits === 128 ? 'aes-128-gcm' : bits === 192 ? 'aes-192-gcm' : 'aes-256-gcm'
}

function associated(key: VaultKey, data: AssociatedData): Buffer {
  return canonicalBytes({ keyId: key.id, data })
}

function nameOf(version: KeyVersion): Buffer {
  return sha256(utf8(version.id)).subarray(0, 16)
}
