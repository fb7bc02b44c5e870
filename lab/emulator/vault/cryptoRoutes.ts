/** The crypto endpoint: operations with keys that never leave the Vault. */
import {
  constants,
  createPublicKey,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { z } from 'zod'
import type { Permission } from '#lab/emulator/policy/permissions.ts'
import { decodeBody } from '#lab/emulator/requestBody.ts'
import { invalidParameter, type Principal, type Route, type ServiceResponse } from '#lab/emulator/service.ts'
import { decryptAes, encryptAes } from './ciphertext.ts'
import type { DecryptLog } from './decryptLog.ts'
import { signDigest } from './digestSignature.ts'
import type { Keyring, KeyVersion, VaultKey } from './keyring.ts'
import {
  bytesOf,
  DecryptDetails,
  EncryptDetails,
  GenerateDetails,
  SIGNING,
  SignDetails,
  VerifyDetails,
} from './requests.ts'

const MAX_BODY_BYTES = 64 * 1024
const OAEP = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' } as const

type CryptoParts = {
  readonly keyring: Keyring
  readonly log: Pick<DecryptLog, 'append'>
  readonly now: () => number
}

export function cryptoRoutes({ keyring, log, now }: CryptoParts): readonly Route[] {
  const operation = <Schema extends z.ZodType<{ keyId: string }>>(
    name: string,
    permission: Permission,
    schema: Schema,
    run: (details: z.output<Schema>, key: VaultKey, principal: Principal) => ServiceResponse['json'],
  ): Route => ({
    method: 'POST',
    pattern: `/20180608/${name}`,
    body: 'bytes',
    maxBodyBytes: MAX_BODY_BYTES,
    access: (request) => {
      const { id, vaultId, compartmentId } = keyring.key(decodeBody(schema, request.body).keyId)
      const variables = { 'target.key.id': id, 'target.vault.id': vaultId }
      return { permissions: [permission], compartmentId, variables }
    },
    handle: (request) => {
      const details = decodeBody(schema, request.body)
      return { status: 200, json: run(details, keyring.key(details.keyId), request.principal) }
    },
  })

  return [
    operation('generateDataEncryptionKey', 'KEY_ENCRYPT', GenerateDetails, (details, key) => {
      assertAlgorithm(key, 'AES')
      const plaintext = randomBytes(details.keyShape.length)
      const ciphertext = encryptAes(key, versionOf(key), plaintext, details.associatedData)
      return {
        ciphertext: ciphertext.toString('base64'),
        ...(details.includePlaintextKey && withChecksum(plaintext)),
      }
    }),
    operation('encrypt', 'KEY_ENCRYPT', EncryptDetails, (details, key) => {
      const version = versionOf(key, details.keyVersionId)
      const { ciphertext, encryptionAlgorithm } = encrypt(details, key, version)
      return { ciphertext, keyId: key.id, keyVersionId: version.id, encryptionAlgorithm }
    }),
    operation('decrypt', 'KEY_DECRYPT', DecryptDetails, (details, key, principal) => {
      const { plaintext, version, encryptionAlgorithm } = decrypt(details, key)
      const { associatedData = null } = details
      log.append({ time: now(), principal: principal.id, keyId: key.id, associatedData })
      return { ...withChecksum(plaintext), keyId: key.id, keyVersionId: version.id, encryptionAlgorithm }
    }),
    operation('sign', 'KEY_SIGN', SignDetails, (details, key) => {
      const version = versionOf(key, details.keyVersionId)
      return {
        keyId: key.id,
        keyVersionId: version.id,
        signature: signatureOf(details, key, version).toString('base64'),
        signingAlgorithm: details.signingAlgorithm,
      }
    }),
    operation('verify', 'KEY_VERIFY', VerifyDetails, (details, key) => ({
      isSignatureValid: isSignature(details, key, versionOf(key, details.keyVersionId)),
    })),
  ]
}

function versionOf(key: VaultKey, id?: string): KeyVersion {
  const version = id === undefined ? key.versions.at(-1) : key.versions.find((each) => each.id === id)
  if (version === undefined) throw invalidParameter('keyVersionId is not a version of the key')
  return version
}

function assertAlgorithm(key: VaultKey, algorithm: VaultKey['shape']['algorithm']): void {
  if (key.shape.algorithm !== algorithm) throw invalidParameter(`the key is not an ${algorithm} key`)
}

function encrypt(details: z.output<typeof EncryptDetails>, key: VaultKey, version: KeyVersion) {
  const { encryptionAlgorithm, associatedData } = details
  const plaintext = bytesOf(details.plaintext, 'plaintext')
  if (encryptionAlgorithm === 'AES_256_GCM') {
    assertAlgorithm(key, 'AES')
    return {
      ciphertext: encryptAes(key, version, plaintext, associatedData).toString('base64'),
      encryptionAlgorithm,
    }
  }
  assertAlgorithm(key, 'RSA')
  const ciphertext = publicEncrypt({ key: version.material, ...OAEP }, plaintext)
  return { ciphertext: ciphertext.toString('base64'), encryptionAlgorithm }
}

/** OCI does not say why a ciphertext does not decrypt. */
function decrypt(details: z.output<typeof DecryptDetails>, key: VaultKey) {
  const { encryptionAlgorithm, associatedData } = details
  const ciphertext = bytesOf(details.ciphertext, 'ciphertext')
  if (encryptionAlgorithm === 'AES_256_GCM') {
    assertAlgorithm(key, 'AES')
    const opened = decryptAes(key, ciphertext, associatedData)
    if (opened === undefined) throw invalidParameter('the ciphertext does not decrypt')
    return { ...opened, encryptionAlgorithm }
  }
  assertAlgorithm(key, 'RSA')
  if (details.keyVersionId === undefined) throw invalidParameter('keyVersionId is required for an RSA key')
  const version = versionOf(key, details.keyVersionId)
  try {
    return {
      plaintext: privateDecrypt({ key: version.material, ...OAEP }, ciphertext),
      version,
      encryptionAlgorithm,
    }
  } catch {
    throw invalidParameter('the ciphertext does not decrypt')
  }
}

/** The checks before a key signs or verifies. */
function signing(
  { message, signingAlgorithm }: z.output<typeof SignDetails | typeof VerifyDetails>,
  key: VaultKey,
) {
  const scheme = SIGNING[signingAlgorithm]
  assertAlgorithm(key, scheme.algorithm)
  if (key.shape.algorithm === 'ECDSA' && key.shape.curve !== scheme.curve)
    throw invalidParameter(`the key's curve is not that of ${signingAlgorithm}`)
  const input = bytesOf(message, 'message')
  if (input.byteLength > 4096) throw invalidParameter('message has more than 4096 bytes')
  return { input, scheme }
}

function signatureOf(details: z.output<typeof SignDetails>, key: VaultKey, version: KeyVersion): Buffer {
  const { input, scheme } = signing(details, key)
  if (details.messageType === 'RAW')
    return sign(scheme.hash, input, { key: version.material, ...scheme.options })
  if (scheme.curve === undefined || scheme.curve === 'NIST_P521')
    throw invalidParameter('the emulator signs digests with P-256 and P-384 keys only')
  if (input.byteLength !== scheme.bytes)
    throw invalidParameter(
      `message has ${input.byteLength} bytes, a digest for this algorithm has ${scheme.bytes}`,
    )
  return signDigest(scheme.curve, version.material, input)
}

function isSignature(details: z.output<typeof VerifyDetails>, key: VaultKey, version: KeyVersion): boolean {
  const { input, scheme } = signing(details, key)
  const signature = bytesOf(details.signature, 'signature')
  return verify(scheme.hash, input, { key: createPublicKey(version.material), ...scheme.options }, signature)
}

function withChecksum(plaintext: Buffer) {
  return { plaintext: plaintext.toString('base64'), plaintextChecksum: String(crc32(plaintext)) }
}
