/** Grant v1: what the TEE enforces, and the keys that lead from the provider's root to it. */
import { z } from 'zod'
import { defineFormat } from '../canonical.ts'
import { OutputContract } from '../egress/contract.ts'
import {
  audience,
  base64urlBytes,
  boot,
  bucketName,
  count,
  etag,
  keyThumbprint,
  name,
  noteText,
  objectName,
  ocid,
  purpose,
  randomId,
  scopeText,
  sealId,
  sequence,
  sha256Digest,
  time,
  version1,
} from '../fields.ts'
import { Ed25519Jwk, P256Jwk, P384Jwk, RsaJwk } from '../jwk.ts'
import { defineSigned } from '../jws.ts'
import { NONCE_BYTES } from './challenge.ts'

const VerifierKeys = z.strictObject({
  v: version1,
  seq: sequence,
  exp: time,
  grantCa: z.strictObject({ jwk: P384Jwk, keyId: ocid }),
})
export type VerifierKeys = z.output<typeof VerifierKeys>

/** Create-once object `verifier-keys/<seq>`, by a quorum of the policy signers; no rules in it. */
export const VerifierKeysFormat = defineSigned(
  'cw-verifier-keys',
  defineFormat({ name: 'verifier keys', maxBytes: 2048, code: 'grant.invalid', schema: VerifierKeys }),
)

export function verifierKeysName(seq: number): string {
  return `verifier-keys/${String(seq).padStart(9, '0')}`
}

const GrantKey = z.strictObject({ v: version1, jwk: Ed25519Jwk, nbf: time, exp: time })
export type GrantKey = z.output<typeof GrantKey>

/** By the grant CA, a Vault key: an Ed25519 key in one Verifier's memory, for at most 24 hours. */
export const GrantKeyFormat = defineSigned(
  'cw-grant-key',
  defineFormat({ name: 'grant key', maxBytes: 1024, code: 'grant.invalid', schema: GrantKey }),
)

const Grant = z.strictObject({
  v: version1,
  /** One per answered job; names the life of this release in both logs. */
  releaseId: randomId,
  nonce: base64urlBytes(NONCE_BYTES),
  aud: audience,
  iat: time,
  exp: time,
  client: name,
  purpose,
  permission: name,
  tenant: name,
  dataset: name,
  boot,
  /** RFC 7638 thumbprint of the runtime data's wrap key. */
  wrapKey: keyThumbprint,
  objects: z
    .array(
      z.strictObject({
        sealId,
        headerDigest: sha256Digest,
        bucket: bucketName,
        name: objectName,
        etag,
        /** SHA-256 of the ASCII of the JWE that carries this object's keys. */
        keyDigest: sha256Digest,
      }),
    )
    .min(1)
    .max(64),
  scopes: z.array(scopeText).min(1).max(256),
  view: z.enum(['minimal']),
  sensitive: z.array(z.string()).max(64),
  workload: z.strictObject({ name, digest: sha256Digest }),
  output: OutputContract,
  recipient: z.strictObject({ jwk: RsaJwk, keyId: ocid, keyVersionId: ocid }),
  auditKey: P256Jwk,
  /** The reference values that matched, and the level that the match gives. */
  release: name,
  assurance: z.enum(['measured', 'platform']),
  /** True where the machine's administrator belongs to the consumer: the whole object is disclosed. */
  disclosure: z.boolean(),
  simulation: z.boolean(),
  policySeq: sequence,
  revocationSeq: count,
  /** The Verifier's log after `release.decided`: its checkpoint (a signed note) and the entry's index. */
  log: z.strictObject({ boot, checkpoint: noteText, index: count }),
})
export type Grant = z.output<typeof Grant>

export const GrantFormat = defineSigned(
  'cw-grant',
  defineFormat({ name: 'grant', maxBytes: 48 * 1024, code: 'grant.invalid', schema: Grant }),
)

const Registration = z.strictObject({
  v: version1,
  role: z.enum(['worker', 'verifier']),
  boot,
  /** Origin of the boot's log and the key that signs its checkpoints. */
  origin: z.string().regex(/^confidential-worker\/(worker|verifier)\/[a-z2-7]{26}$/),
  key: Ed25519Jwk,
  /** Of the worker's first accepted release; null for a Verifier, which registers itself. */
  attestation: z.union([
    z.null(),
    z.strictObject({
      runtimeDataDigest: sha256Digest,
      reportDigest: sha256Digest,
      measurement: z.string().regex(/^[0-9a-f]{96}$/),
      release: name,
      assurance: z.enum(['measured', 'platform']),
      client: name,
    }),
  ]),
  simulation: z.boolean(),
  time,
})
export type Registration = z.output<typeof Registration>

/** By the grant CA, so that an auditor who knows the provider root alone can tell whose log a log is. */
export const RegistrationFormat = defineSigned(
  'cw-registration',
  defineFormat({ name: 'registration', maxBytes: 4096, code: 'evidence.malformed', schema: Registration }),
)

export function registrationName(id: string): string {
  return `registration/${id}`
}

export function logOrigin(role: Registration['role'], id: string): string {
  return `confidential-worker/${role}/${id}`
}
