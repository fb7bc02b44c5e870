import type { KeyObject } from 'node:crypto'
import type { Signer } from '#core/jws.ts'

/**
 * Cryptographic operations with keys that never leave a Vault.
 *
 * `service.missing` for a key that is absent or that policy hides (OCI does not tell them apart); `key.unopened` where
 * a ciphertext does not open under the key and associated data; `service.unavailable` under throttling, after bounded
 * retries. Plaintext keys come as buffers that the caller owns and wipes.
 */
export type AssociatedData = Readonly<Record<string, string>>

export type KeyVault = {
  readonly generateDataKey: (
    keyId: string,
    associatedData: AssociatedData,
  ) => Promise<{ readonly plaintext: Buffer; readonly wrapped: Buffer; readonly keyVersionId: string }>
  readonly encrypt: (
    keyId: string,
    plaintext: Uint8Array,
    associatedData: AssociatedData,
  ) => Promise<{ readonly wrapped: Buffer; readonly keyVersionId: string }>
  readonly decrypt: (keyId: string, wrapped: Uint8Array, associatedData: AssociatedData) => Promise<Buffer>
  /** RSA-OAEP with SHA-256, for the recipient of a result. */
  readonly decryptRsa: (keyId: string, keyVersionId: string, wrapped: Uint8Array) => Promise<Buffer>
  /** A signer over a P-384 key of the Vault (ES384); reads its public half once. */
  readonly signer: (keyId: string) => Promise<Signer>
  /** The public half of the key's current version. */
  readonly publicKey: (keyId: string) => Promise<{ readonly key: KeyObject; readonly keyVersionId: string }>
}

/** A secret's current content, and its version number for rotation. */
export type SecretStore = {
  readonly read: (secretId: string) => Promise<{ readonly content: Buffer; readonly version: number }>
}
