/**
 * OCI Vault behind the KeyVault port: the crypto endpoint for operations, the management endpoint for public
 * keys. Plaintext travels as base64 in JSON. Besides the buffer that the caller owns there are therefore
 * strings that cannot be wiped; they live until the next garbage collections.
 */
import { createPublicKey } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { type KmsCryptoClient, type KmsManagementClient, models } from 'oci-keymanagement'
import { sha384 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { exportJwk } from '#core/jwk.ts'
import type { KeyVault } from '#ports/keyVault.ts'
import type { Meaning } from './answers.ts'
import { fromBase64, toBase64 } from './base64.ts'
import { derToRaw } from './ecdsa.ts'
import type { Http } from './http.ts'

/** A ciphertext that does not open gives a 400. The Vault does not say why. */
const UNOPENED: readonly Meaning[] = [{ status: 400, code: 'key.unopened' }]
const DEK_SHAPE = { algorithm: models.KeyShape.Algorithm.Aes, length: 32 } as const
const { DecryptDataDetails, EncryptDataDetails, SignDataDetails } = models

export function createKeyVault(
  http: Http,
  crypto: KmsCryptoClient,
  management: KmsManagementClient,
): KeyVault {
  const currentVersion = async (keyId: string): Promise<string> => {
    const { key } = await http.call('getKey', () => management.getKey({ keyId }))
    return key.currentKeyVersion
  }

  const publicKey: KeyVault['publicKey'] = async (keyId) => {
    const keyVersionId = await currentVersion(keyId)
    const { keyVersion } = await http.call('getKeyVersion', () =>
      management.getKeyVersion({ keyId, keyVersionId }),
    )
    if (typeof keyVersion.publicKey !== 'string')
      throw new CodedError('service.failed', 'getKeyVersion: the key has no public half')
    try {
      return { key: createPublicKey(keyVersion.publicKey), keyVersionId }
    } catch (cause) {
      throw new CodedError('service.failed', 'getKeyVersion: the public half is not a PEM', { cause })
    }
  }

  const decrypt = async (details: models.DecryptDataDetails, signal?: AbortSignal): Promise<Buffer> => {
    const { decryptedData } = await http.call(
      'decrypt',
      () => crypto.decrypt({ decryptDataDetails: details }),
      { meanings: UNOPENED, signal },
    )
    return checked(decryptedData.plaintext, decryptedData.plaintextChecksum, 'decrypt')
  }

  return {
    generateDataKey: async (keyId, associatedData) => {
      // GenerateDataEncryptionKey does not name the version that it used. If the key rotates in between, this
      // is the older one. Decrypt needs no version: it is for people.
      const keyVersionId = await currentVersion(keyId)
      const { generatedKey } = await http.call('generateDataEncryptionKey', () =>
        crypto.generateDataEncryptionKey({
          generateKeyDetails: { keyId, keyShape: DEK_SHAPE, includePlaintextKey: true, associatedData },
        }),
      )
      const { plaintext = '', plaintextChecksum, ciphertext } = generatedKey
      const key = checked(plaintext, plaintextChecksum, 'generateDataEncryptionKey')
      if (key.byteLength !== DEK_SHAPE.length)
        throw new CodedError(
          'service.failed',
          `generateDataEncryptionKey: the key has ${key.byteLength} bytes, not ${DEK_SHAPE.length}`,
        )
      return { plaintext: key, wrapped: fromBase64(ciphertext, 'ciphertext'), keyVersionId }
    },

    encrypt: async (keyId, plaintext, associatedData) => {
      const { encryptedData } = await http.call('encrypt', () =>
        crypto.encrypt({
          encryptDataDetails: {
            keyId,
            plaintext: toBase64(plaintext),
            associatedData,
            encryptionAlgorithm: EncryptDataDetails.EncryptionAlgorithm.Aes256Gcm,
          },
        }),
      )
      const keyVersionId = encryptedData.keyVersionId ?? (await currentVersion(keyId))
      return { wrapped: fromBase64(encryptedData.ciphertext, 'ciphertext'), keyVersionId }
    },

    decrypt: (keyId, wrapped, associatedData, signal) =>
      decrypt({ keyId, ciphertext: toBase64(wrapped), associatedData }, signal),

    decryptRsa: (keyId, keyVersionId, wrapped) =>
      decrypt({
        keyId,
        keyVersionId,
        ciphertext: toBase64(wrapped),
        encryptionAlgorithm: DecryptDataDetails.EncryptionAlgorithm.RsaOaepSha256,
      }),

    signer: async (keyId) => {
      const { key, keyVersionId } = await publicKey(keyId)
      const jwk = exportJwk(key)
      if (jwk.kty !== 'EC' || jwk.crv !== 'P-384')
        throw new CodedError('config.invalid', `the Vault key ${keyId} is not a P-384 signing key`)
      return {
        jwk,
        // Pinned to the version, so that signatures still match `jwk` after a rotation.
        sign: async (message) => {
          const { signedData } = await http.call('sign', () =>
            crypto.sign({
              signDataDetails: {
                keyId,
                keyVersionId,
                message: toBase64(sha384(message)),
                messageType: SignDataDetails.MessageType.Digest,
                signingAlgorithm: SignDataDetails.SigningAlgorithm.EcdsaSha384,
              },
            }),
          )
          return derToRaw(fromBase64(signedData.signature, 'signature'), 48)
        },
      }
    },

    publicKey,
  }
}

/** Compares with the CRC-32 that the Vault sends, in decimal. */
function checked(plaintext: string, checksum: string | undefined, operation: string): Buffer {
  const bytes = fromBase64(plaintext, 'plaintext')
  if (String(crc32(bytes)) !== checksum) {
    bytes.fill(0)
    throw new CodedError('service.failed', `${operation}: the checksum of the plaintext does not match`)
  }
  return bytes
}
