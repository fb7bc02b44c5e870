/** The request bodies of the crypto endpoint. */
import { constants } from 'node:crypto'
import { z } from 'zod'
import { ocid } from '#core/fields.ts'
import { invalidParameter } from '#lab/emulator/service.ts'

const base64 = z.string().max(60_000)
const contextMap = z
  .record(z.string(), z.string())
  .refine((map) => JSON.stringify(map).length < 4096, 'must have fewer than 4096 characters')

const common = {
  keyId: ocid,
  associatedData: contextMap.default({}),
  loggingContext: contextMap.optional(),
}

const EncryptionAlgorithm = z.literal(['AES_256_GCM', 'RSA_OAEP_SHA_256']).default('AES_256_GCM')

export const GenerateDetails = z.strictObject({
  ...common,
  keyShape: z.strictObject({ algorithm: z.literal('AES'), length: z.literal([16, 24, 32]) }),
  includePlaintextKey: z.boolean(),
})
export const EncryptDetails = z.strictObject({
  ...common,
  plaintext: base64,
  keyVersionId: ocid.optional(),
  encryptionAlgorithm: EncryptionAlgorithm,
})
export const DecryptDetails = z.strictObject({
  ...common,
  ciphertext: base64,
  keyVersionId: ocid.optional(),
  encryptionAlgorithm: EncryptionAlgorithm,
})

type Scheme = {
  readonly algorithm: 'RSA' | 'ECDSA'
  readonly curve: 'NIST_P256' | 'NIST_P384' | 'NIST_P521' | undefined
  readonly hash: string
  /** The length of the digest. */
  readonly bytes: number
  readonly options: { readonly padding?: number }
}

const SchemeName = z.literal([
  'ECDSA_SHA_256',
  'ECDSA_SHA_384',
  'ECDSA_SHA_512',
  'SHA_256_RSA_PKCS_PSS',
  'SHA_256_RSA_PKCS1_V1_5',
])

const rsa = (padding: number): Scheme => ({
  algorithm: 'RSA',
  curve: undefined,
  hash: 'sha256',
  bytes: 32,
  options: { padding },
})
const ecdsa = (curve: Scheme['curve'], hash: string, bytes: number): Scheme => ({
  algorithm: 'ECDSA',
  curve,
  hash,
  bytes,
  options: {},
})
export const SIGNING: Readonly<Record<z.output<typeof SchemeName>, Scheme>> = {
  ECDSA_SHA_256: ecdsa('NIST_P256', 'sha256', 32),
  ECDSA_SHA_384: ecdsa('NIST_P384', 'sha384', 48),
  ECDSA_SHA_512: ecdsa('NIST_P521', 'sha512', 64),
  SHA_256_RSA_PKCS_PSS: rsa(constants.RSA_PKCS1_PSS_PADDING),
  SHA_256_RSA_PKCS1_V1_5: rsa(constants.RSA_PKCS1_PADDING),
}

const signed = {
  keyId: ocid,
  keyVersionId: ocid.optional(),
  message: base64,
  signingAlgorithm: SchemeName,
  loggingContext: contextMap.optional(),
}
export const SignDetails = z.strictObject({
  ...signed,
  messageType: z.literal(['RAW', 'DIGEST']).default('RAW'),
})
/** The emulator verifies only messages, not digests. */
export const VerifyDetails = z.strictObject({
  ...signed,
  messageType: z.literal('RAW').default('RAW'),
  signature: base64,
})

export function bytesOf(text: string, field: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw invalidParameter(`${field} is not base64`)
  return bytes
}
