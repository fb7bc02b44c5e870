/**
 * The policy v1: which client may have which data, and on which machines (the reference values). At least
 * `threshold` distinct persons of the provider sign it. Its number rises, and it expires. Every field must be
 * present, and an unknown field refuses to load. An empty policy releases nothing.
 */
import { z } from 'zod'
import { defineFormat } from '../canonical.ts'
import { base64urlBytes, hexBytes, keyThumbprint, name, ocid, purpose, time } from '../fields.ts'
import { P256Jwk, P384Jwk, SigningJwk } from '../jwk.ts'
import { defineSigned } from '../jws.ts'
import { PRODUCTS } from '../snp/product.ts'
import type { Kind } from './document.ts'
import { ENVELOPE } from './envelope.ts'
import { Quota } from './quota.ts'
import { PolicyReferenceSchema } from './referenceSchema.ts'
import { TERMS } from './terms.ts'

/** One client's use of a dataset, for one purpose. */
const Permission = z.strictObject({
  id: name,
  client: name,
  purpose,
  ...TERMS,
  quota: Quota,
  notBefore: time,
  notAfter: time,
})

/** The people of one or more datasets. */
const Population = z.strictObject({
  id: name,
  /** The budget of differential privacy. Null: no permission asks for it, the only value of this version. */
  budget: z.null(),
})

const Dataset = z.strictObject({
  id: name,
  population: name,
  /** A simulated root may release synthetic data, but never real data. */
  synthetic: z.boolean(),
  sealingKeys: z.array(SigningJwk).min(1).max(16),
  /** The Vault keys that may wrap DEKs of this dataset. */
  keyIds: z.array(ocid).min(1).max(16),
  notSealedBefore: time,
  idKey: z.strictObject({ keyId: ocid, keyVersionId: ocid, wrapped: base64urlBytes(32, 1024) }),
  assurance: z.union([
    z.strictObject({ level: z.literal('measured') }),
    z.strictObject({
      level: z.literal('platform'),
      administeredBy: z.enum(['provider', 'neutral', 'consumer']),
    }),
  ]),
  /** How its patients withdraw. Null: the dataset has no consent lists, and nothing is withheld for any. */
  consent: z
    .strictObject({
      /** Each of them may withdraw patients; only a quorum of the provider root takes that back. */
      keys: z.array(SigningJwk).min(1).max(16),
      /** The Vault keys that may wrap the keys of its lists. */
      keyIds: z.array(ocid).min(1).max(16),
    })
    .nullable(),
  permissions: z.array(Permission).max(256),
})

/** For drafts that people write; what is signed is read by `PolicyFormat`. */
export const PolicySchema = z.strictObject({
  ...ENVELOPE,
  /** At most 90 days after its issue. */
  expiresAt: time,
  /** Thumbprints of keys of the provider root that no longer count. */
  excludedSigners: z.array(keyThumbprint).max(16),
  /**
   * Possible only if every dataset is synthetic and every Vault endpoint is on loopback. Logs and grants show
   * it.
   */
  simulation: z.boolean(),
  /** ARKs by the SHA-256 of their DER. AMD's pinned roots too are trusted only if they are listed. */
  roots: z
    .array(z.strictObject({ product: z.enum(PRODUCTS), ark: hexBytes(32), simulated: z.boolean() }))
    .min(1)
    .max(16),
  referenceValues: z.array(PolicyReferenceSchema).min(1).max(64),
  /** Consumers by name, with the keys of their client assertions (ES384, in their own Vault). */
  clients: z
    .array(z.strictObject({ id: name, keys: z.array(P384Jwk).min(1).max(8) }))
    .min(1)
    .max(64),
  /** In the evidence, counts that could reveal something about a person are sealed to this key. */
  auditKey: P256Jwk,
  populations: z.array(Population).max(256),
  datasets: z.array(Dataset).max(256),
})
export type Policy = z.output<typeof PolicySchema>
export type Dataset = z.output<typeof Dataset>
export type Permission = z.output<typeof Permission>

/** For editors. It says less than the schema: a refinement is not in it. */
export function policyJsonSchema(): string {
  const schema = { title: 'confidential-worker policy v1', ...z.toJSONSchema(PolicySchema, { io: 'input' }) }
  return `${JSON.stringify(schema, undefined, 2)}\n`
}

export const PolicyFormat = defineSigned(
  'cw-policy',
  defineFormat({ name: 'policy', maxBytes: 1024 * 1024, code: 'policy.invalid', schema: PolicySchema }),
)

export const POLICY: Kind<Policy> = { folder: 'policy', format: PolicyFormat, endsPredecessor: true }
