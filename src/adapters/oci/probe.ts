/**
 * Harmless calls that tell whether OCI permits something. OCI decides on the permission before it looks at
 * the rest of a request (RFC 9110 §13.2.1 for preconditions), so each call is one that fails after that
 * decision: a write under the condition of an entity tag that no object has, a read of an object that is not
 * there, a ciphertext that is none.
 */
import { randomBytes } from 'node:crypto'
import { type KmsCryptoClient, type KmsManagementClient, models as kms } from 'oci-keymanagement'
import type { ObjectStorageClient } from 'oci-objectstorage'
import { type StreamClient, models as streaming } from 'oci-streaming'
import { codeOf } from '#core/errors.ts'
import type { ObjectRef } from '#ports/objectStore.ts'
import type { Meaning } from './answers.ts'
import { toBase64 } from './base64.ts'
import type { Http } from './http.ts'
import { toPath } from './objectPath.ts'

type VaultKeyShape = {
  readonly algorithm: string
  readonly bits: number
  readonly enabled: boolean
}

/**
 * True: OCI permits it. False: it refuses, or hides the resource; OCI does not tell them apart. Throws
 * `service.denied` if the caller is not authenticated, which tells nothing about a permission.
 */
export type Probes = {
  /** For a name that no object has. */
  readonly mayRead: (object: ObjectRef) => Promise<boolean>
  /** Creates, if no object has the name; else overwrites. Nothing is written. */
  readonly mayWrite: (object: ObjectRef) => Promise<boolean>
  /** For a name that no object has. */
  readonly mayDelete: (object: ObjectRef) => Promise<boolean>
  /** `rsa` is the version of an RSA key; without it the key is an AES key. */
  readonly mayDecrypt: (keyId: string, rsa?: { readonly keyVersionId: string }) => Promise<boolean>
  readonly mayEncrypt: (keyId: string) => Promise<boolean>
  /** Asks for a cursor and reads nothing. It reserves no partition. */
  readonly mayConsume: (streamId: string) => Promise<boolean>
  /** Throws `service.missing` if the key is absent or hidden. */
  readonly keyShape: (keyId: string) => Promise<VaultKeyShape>
}

/** OCI hides what it refuses behind 404; some calls answer 403. A 401 is about the caller. */
const REFUSED: readonly Meaning[] = [
  { status: 403, code: 'service.missing' },
  { status: 404, code: 'service.missing' },
  { status: 401, code: 'service.denied' },
]
/** The answers behind the decision on the permission. */
const PERMITTED: readonly Meaning[] = [
  { status: 412, code: 'object.changed' },
  { status: 404, serviceCode: 'ObjectNotFound', code: 'object.changed' },
]
const MEANINGS = [...PERMITTED, ...REFUSED]
/** The Vault's answer to a ciphertext that does not open. */
const UNOPENED: readonly Meaning[] = [{ status: 400, code: 'object.changed' }, ...MEANINGS]
const NO_ETAG = 'doctor-no-object-has-this-tag'
const GARBAGE_BYTES = 64

export function createProbes(
  http: Http,
  clients: {
    readonly objects: () => ObjectStorageClient
    readonly crypto: () => KmsCryptoClient
    readonly management: () => KmsManagementClient
    readonly streams: () => StreamClient
  },
): Probes {
  const permits = async (
    operation: string,
    run: () => Promise<unknown>,
    meanings: readonly Meaning[] = MEANINGS,
  ): Promise<boolean> => {
    try {
      await http.call(operation, run, { meanings })
      return true
    } catch (error) {
      const code = codeOf(error)
      if (code === 'object.changed') return true
      if (code === 'service.missing') return false
      throw error
    }
  }
  return {
    mayRead: (object) => permits('getObject', () => clients.objects().getObject(toPath(object))),
    mayWrite: (object) =>
      permits('putObject', () =>
        clients.objects().putObject({
          ...toPath(object),
          ifMatch: NO_ETAG,
          contentLength: 0,
          putObjectBody: new Uint8Array(),
        }),
      ),
    mayDelete: (object) =>
      permits('deleteObject', () => clients.objects().deleteObject({ ...toPath(object), ifMatch: NO_ETAG })),
    mayDecrypt: (keyId, rsa) =>
      permits(
        'decrypt',
        () =>
          clients.crypto().decrypt({
            decryptDataDetails: {
              keyId,
              ciphertext: toBase64(randomBytes(rsa === undefined ? GARBAGE_BYTES : 256)),
              ...(rsa !== undefined && {
                ...rsa,
                encryptionAlgorithm: kms.DecryptDataDetails.EncryptionAlgorithm.RsaOaepSha256,
              }),
            },
          }),
        UNOPENED,
      ),
    mayEncrypt: (keyId) =>
      permits('generateDataEncryptionKey', () =>
        clients.crypto().generateDataEncryptionKey({
          generateKeyDetails: {
            keyId,
            keyShape: { algorithm: kms.KeyShape.Algorithm.Aes, length: 32 },
            includePlaintextKey: false,
          },
        }),
      ),
    mayConsume: (streamId) =>
      permits('createCursor', () =>
        clients.streams().createCursor({
          streamId,
          createCursorDetails: {
            partition: '0',
            type: streaming.CreateCursorDetails.Type.Latest,
          },
        }),
      ),
    keyShape: async (keyId) => {
      const { key } = await http.call('getKey', () => clients.management().getKey({ keyId }), {
        meanings: REFUSED,
      })
      const { algorithm, length } = key.keyShape
      return { algorithm: String(algorithm), bits: length * 8, enabled: key.lifecycleState === 'ENABLED' }
    },
  }
}
