import type { KeyObject } from 'node:crypto'
import type { Signer } from '#core/jws.ts'
import type { UnixSeconds } from '#core/time.ts'

/**
 * Cryptographic operations with keys that never leave a Vault.
 *
 * - Every operation may be sent more than once. No operation changes a key, so a repetition does no harm.
 * - Plaintext keys come in buffers that the caller owns and wipes.
 * - `service.missing`: the key is absent, or policy hides it; OCI does not tell them apart.
 * - `key.unopened`: a ciphertext does not open under the key and the associated data. The reason is not
 *   known.
 * - `service.unavailable`: throttling or an outage, after the adapter's bounded retries.
 * - `service.failed`: the answer is not as documented, or the key cannot do what is asked.
 * - An abort rejects with the signal's reason. No call is sent after it.
 */
export type AssociatedData = Readonly<Record<string, string>>

export type KeyVault = {
  /** A new 256-bit key, in plain and wrapped. `keyVersionId` is for people: `decrypt` needs no version. */
  readonly generateDataKey: (
    keyId: string,
    associatedData: AssociatedData,
  ) => Promise<{ readonly plaintext: Buffer; readonly wrapped: Buffer; readonly keyVersionId: string }>
  readonly encrypt: (
    keyId: string,
    plaintext: Uint8Array,
    associatedData: AssociatedData,
  ) => Promise<{ readonly wrapped: Buffer; readonly keyVersionId: string }>
  /**
   * The order of the associated data's fields does not matter. Ciphertexts of older key versions open too.
   */
  readonly decrypt: (
    keyId: string,
    wrapped: Uint8Array,
    associatedData: AssociatedData,
    signal?: AbortSignal,
  ) => Promise<Buffer>
  /** RSA-OAEP with SHA-256, for the recipient of a result. */
  readonly decryptRsa: (keyId: string, keyVersionId: string, wrapped: Uint8Array) => Promise<Buffer>
  /**
   * A signer over the current version of a P-384 key (ES384). It reads the public half once and keeps to that
   * version, so that after a rotation its signatures still match its key. Throws `config.invalid` for a key
   * of another kind.
   */
  readonly signer: (keyId: string) => Promise<Signer>
  /** The public half of the key's current version. */
  readonly publicKey: (keyId: string) => Promise<{ readonly key: KeyObject; readonly keyVersionId: string }>
}

/** One version of a secret. `version` is at least 1, and higher after each rotation. */
export type SecretVersion = {
  readonly content: Buffer
  readonly version: number
  readonly createdAt: UnixSeconds
}

/**
 * Secrets of a Vault: the current version, or the one that it replaced (`service.missing` if there is none).
 * Errors as of `KeyVault`.
 */
export type SecretStore = {
  readonly read: (secretId: string, stage?: 'current' | 'previous') => Promise<SecretVersion>
}
