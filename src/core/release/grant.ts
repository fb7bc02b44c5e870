/** Grant v1: the terms that the TEE enforces. The grant key that signs it is certified by the grant CA. */
import { z } from 'zod'
import { defineFormat } from '../canonical.ts'
import { MAX_SCOPES } from '../fhir/scope.ts'
import {
  audience,
  base64urlBytes,
  boot,
  bucketName,
  count,
  etag,
  keyThumbprint,
  name,
  namespaceName,
  noteText,
  objectName,
  purpose,
  randomId,
  scopeText,
  sealId,
  sequence,
  sha256Digest,
  time,
  version1,
} from '../fields.ts'
import { Ed25519Jwk, P256Jwk } from '../jwk.ts'
import { defineSigned } from '../jws.ts'
import { MAX_LISTS } from '../policy/consentUnion.ts'
import { TERMS } from '../policy/terms.ts'
import { MAX_LIST_BYTES, MIN_LIST_BYTES } from '../sealed/consentList.ts'
import { MAX_MEMBERS, setId } from '../sealed/set.ts'
import { NONCE_BYTES } from './nonce.ts'

const GrantKey = z.strictObject({ v: version1, jwk: Ed25519Jwk, nbf: time, exp: time })
export type GrantKey = z.output<typeof GrantKey>

/** An Ed25519 key in one Verifier's memory, certified by the grant CA (a Vault key) for at most 24 hours. */
export const GrantKeyFormat = defineSigned(
  'cw-grant-key',
  defineFormat({ name: 'grant key', maxBytes: 1024, code: 'grant.invalid', schema: GrantKey }),
)

/** The lists of withdrawn patients in force, whose keys come with the grant as one JWE. */
const GrantedConsent = z.strictObject({
  /** Number and digest of all lists of the dataset, as the freshness statement names them. */
  seq: sequence,
  digest: sha256Digest,
  namespace: namespaceName,
  bucket: bucketName,
  lists: z
    .array(
      z.strictObject({
        id: randomId,
        digest: sha256Digest,
        bytes: z.int().min(MIN_LIST_BYTES).max(MAX_LIST_BYTES),
      }),
    )
    .min(1)
    .max(MAX_LISTS),
  /** SHA-256 of the ASCII of the JWE that carries the keys of the lists, in their order. */
  keyDigest: sha256Digest,
})
export type GrantedConsent = z.output<typeof GrantedConsent>

const Grant = z.strictObject({
  v: version1,
  /** One per granted job. Both logs name this release by it. */
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
  /** The set whose members the objects are, in the order of its record; null for one object of its own. */
  set: setId.nullable(),
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
    .max(MAX_MEMBERS),
  ...TERMS,
  /** Expanded: without wildcards. */
  scopes: z.array(scopeText).min(1).max(MAX_SCOPES),
  termsDigest: sha256Digest,
  /** Null: the dataset has no consent lists. */
  consent: GrantedConsent.nullable(),
  auditKey: P256Jwk,
  /** The reference values that matched, and the assurance that they give. */
  reference: name,
  assurance: z.enum(['measured', 'platform']),
  /** True if the consumer administers the machine: the release discloses the whole object. */
  disclosure: z.boolean(),
  simulation: z.boolean(),
  policySeq: sequence,
  revocationSeq: count,
  /**
   * The Verifier's log after `release.decided`: its checkpoint (a signed note) and the index of the entry.
   */
  log: z.strictObject({ boot, checkpoint: noteText, index: count }),
})
export type Grant = z.output<typeof Grant>

export const GrantFormat = defineSigned(
  'cw-grant',
  defineFormat({ name: 'grant', maxBytes: 48 * 1024, code: 'grant.invalid', schema: Grant }),
)
