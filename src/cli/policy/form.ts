/**
 * The form of a first policy: complete but for placeholders, which are texts in angle brackets that say what
 * belongs in their place. No placeholder has the shape of its field, so a form with one left never loads.
 */
import { COUNT_TABLE_CONTENT_TYPE } from '#core/egress/table.ts'
import { CODE_TABLE_DIGEST } from '#core/fhir/codeTable.ts'
import type { P256Jwk, P384Jwk, SigningJwk } from '#core/jwk.ts'
import type { Dataset, Permission, Policy } from '#core/policy/policy.ts'
import type { PolicyReference } from '#core/policy/referenceSchema.ts'
import { PINNED_ARKS } from '#core/snp/roots.ts'

const DAY = 86_400
/** CMS cell size suppression policy: no cell below eleven. */
export const MINIMUM_CELL = 11
const MAX_RESULT_BYTES = 64 * 1024 * 1024
const QUOTA: Permission['quota'] = { hours: 24, releases: 100, objects: 1000, bytes: 2 ** 40 }
/** AMD's, of the products whose reports prove something about any chip. */
const ROOTS: Policy['roots'] = (['Genoa', 'Turin'] as const).map((product) => ({
  product,
  ark: PINNED_ARKS[product],
  simulated: false,
}))

/** What the form asks for. Whatever is absent becomes a placeholder. */
export type Answers = {
  readonly tenant: string
  readonly audience: string
  readonly now: number
  readonly days: number
  readonly client: string
  readonly dataset: string
  readonly purpose: string
  readonly permission: string
  readonly scopes?: readonly string[] | undefined
  /** Absent: real data on AMD's own roots. */
  readonly simulation?: { readonly roots: Policy['roots'] } | undefined
  readonly referenceValues?: readonly PolicyReference[] | undefined
  readonly clientKeys?: readonly P384Jwk[] | undefined
  readonly auditKey?: P256Jwk | undefined
  readonly sealingKeys?: readonly SigningJwk[] | undefined
  readonly keyIds?: readonly string[] | undefined
  readonly idKey?: Dataset['idKey'] | undefined
  readonly consent?: Dataset['consent'] | undefined
  readonly workload?: Permission['workload'] | undefined
  readonly recipient?: Permission['recipient'] | undefined
  readonly quota?: Permission['quota'] | undefined
}

/**
 * A form as JSON: the fields of a policy, each either filled in or a placeholder. The permission begins a day ago, for clocks that
 * are behind and for files that were sealed before the policy was written.
 */
export type Form = { readonly [Field in keyof Policy]: unknown }

export function policyForm(answers: Answers): Form {
  const { tenant, audience, now, days, client, dataset, purpose, permission, simulation } = answers
  const window = { notBefore: now - DAY, notAfter: now + days * DAY }
  return {
    v: 1,
    seq: 1,
    tenant,
    audience,
    issuedAt: now,
    expiresAt: now + days * DAY,
    excludedSigners: [],
    simulation: simulation !== undefined,
    roots: simulation?.roots ?? ROOTS,
    referenceValues: answers.referenceValues ?? [
      '<reference values of a measured worker: confidential-worker approve REPORT --into FILE>',
    ],
    clients: [
      {
        id: client,
        keys: answers.clientKeys ?? [
          "<JWK, P-384: public half of the client's Vault key, from the consumer>",
        ],
      },
    ],
    auditKey:
      answers.auditKey ?? '<JWK, P-256: counts in evidence are sealed to it; keep its private half offline>',
    populations: [{ id: dataset, budget: null }],
    datasets: [
      {
        id: dataset,
        population: dataset,
        synthetic: simulation !== undefined,
        sealingKeys: answers.sealingKeys ?? ['<JWK, Ed25519 or P-384: the key that signs seal headers>'],
        keyIds: answers.keyIds ?? ['<OCID of the Vault key (AES-256) that wraps the data keys>'],
        notSealedBefore: now - DAY,
        idKey:
          answers.idKey ?? '<wrapped identity key: policy init --identity-key OCID --config FILE makes one>',
        assurance: { level: 'measured' },
        consent: answers.consent ?? null,
        permissions: [
          {
            id: permission,
            client,
            purpose,
            edition: 1,
            scopes: answers.scopes ?? [
              '<SMART scope, such as system/Observation.rs; one per kind of record>',
            ],
            projection: { view: 'minimal', details: [] },
            sensitive: [],
            codeTable: CODE_TABLE_DIGEST,
            workload:
              answers.workload ??
              '<{"name", "digest", "parameters": {}}: worker --trust prints name and digest>',
            output: {
              contentType: COUNT_TABLE_CONTENT_TYPE,
              maxBytes: MAX_RESULT_BYTES,
              disclosure: { form: 'threshold', k: MINIMUM_CELL, cap: null },
            },
            recipient:
              answers.recipient ??
              '<{"jwk", "keyId", "keyVersionId"}: RSA key in the Vault of who opens results>',
            quota: answers.quota ?? QUOTA,
            ...window,
          },
        ],
      },
    ],
  }
}

export function isPlaceholder(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith('<') && value.endsWith('>')
}

/** The next policy: the same terms, the next number, in force anew. Permissions keep their windows. */
export function renewed(
  policy: Policy,
  { now, days }: { readonly now: number; readonly days: number },
): Policy {
  return { ...policy, seq: policy.seq + 1, issuedAt: now, expiresAt: now + days * DAY }
}
