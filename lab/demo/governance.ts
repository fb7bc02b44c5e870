/** Signs and publishes the Verifier's keys and the release policy, as the hospital's two signers do. */

import { randomBytes } from 'node:crypto'
import { STRICT } from '#core/appraisal/strict.ts'
import { toBase64url, utf8 } from '#core/bytes.ts'
import { COUNT_TABLE_CONTENT_TYPE } from '#core/egress/table.ts'
import { CodedError } from '#core/errors.ts'
import { CODE_TABLE_DIGEST } from '#core/fhir/codeTable.ts'
import { type Ed25519Jwk, exportJwk, type P256Jwk, P384Jwk, RsaJwk } from '#core/jwk.ts'
import type { Signer } from '#core/jws.ts'
import { type Kind, signDocument } from '#core/policy/document.ts'
import { POLICY, type Policy } from '#core/policy/policy.ts'
import type { PolicyReference } from '#core/policy/referenceSchema.ts'
import type { Terms } from '#core/policy/terms.ts'
import { VERIFIER_KEYS, type VerifierKeys } from '#core/policy/verifierKeys.ts'
import { ID_KEY_BYTES, idKeyAssociatedData } from '#core/release/idKey.ts'
import type { UnixSeconds } from '#core/time.ts'
import type { KeyVault } from '#ports/keyVault.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { AUDIENCE, CLIENT, DATASET, KEYS, PROVIDER, PURPOSE, SCOPES, TENANT } from './names.ts'

const DAY = 86_400
const MAX_RESULT_BYTES = 64 * 1024 * 1024
/** CMS cell size suppression policy: no cell below eleven. */
export const MINIMUM_CELL = 11

/** More than any demo, campaign or benchmark asks for. */
const QUOTA = { hours: 24, releases: 1_000_000, objects: 1_000_000, bytes: 2 ** 50 }

export type Enrolment = {
  readonly signers: readonly Signer[]
  readonly auditJwk: P256Jwk
  readonly freshnessJwk: Ed25519Jwk
  /** SHA-256 in hex of the AMD root that the reports chain to. */
  readonly ark: string
  readonly measurements: { readonly measured: string; readonly platform: string }
  /** The worker's trust digest in base64url, and its only workload as `name@<hex SHA-256>`. */
  readonly trust: string
  readonly workload: string
  readonly now: UnixSeconds
}

/** The Vaults with the rights of those who may read from them: governor, worker, researcher. */
export type EnrolmentVaults = {
  readonly provider: KeyVault
  readonly client: KeyVault
  readonly result: KeyVault
}

/** Creates `verifier-keys/1` and `policy/1`, and returns the policy. */
export async function publishGovernance(
  store: ObjectStore,
  vaults: EnrolmentVaults,
  enrolment: Enrolment,
): Promise<Policy> {
  const { signers, now } = enrolment
  const [grantCa, policy] = await Promise.all([
    vaults.provider.publicKey(KEYS.grantCa),
    policyOf(vaults, enrolment),
  ])
  const verifierKeys: VerifierKeys = {
    v: 1,
    seq: 1,
    tenant: TENANT,
    audience: AUDIENCE,
    issuedAt: now,
    exp: now + 30 * DAY,
    grantCa: { jwk: P384Jwk.parse(exportJwk(grantCa.key)), keyId: KEYS.grantCa },
    freshnessKey: enrolment.freshnessJwk,
  }
  await publish(store, VERIFIER_KEYS, verifierKeys, signers)
  await publish(store, POLICY, policy, signers)
  return policy
}

/** Signs a document and creates its object. */
export async function publish<T extends { readonly seq: number }>(
  store: ObjectStore,
  kind: Kind<T>,
  content: T,
  signers: readonly Signer[],
): Promise<void> {
  const { name, signed } = await signDocument(kind, content, signers)
  await store.create(
    { namespace: PROVIDER.namespace, bucket: 'governance', name },
    utf8(JSON.stringify(signed)),
  )
}

async function policyOf(vaults: EnrolmentVaults, enrolment: Enrolment): Promise<Policy> {
  const { now, measurements } = enrolment
  const [sealing, client, result, idKey] = await Promise.all([
    vaults.provider.publicKey(KEYS.sealing),
    vaults.client.publicKey(KEYS.client),
    vaults.result.publicKey(KEYS.result),
    wrapNewIdKey(vaults.provider),
  ])
  // The floors of the built-in set, and a current revocation list of AMD.
  const reference = (
    id: string,
    assurance: PolicyReference['assurance'],
    measurement: string,
  ): PolicyReference => ({
    ...STRICT,
    crl: { graceSeconds: 7 * DAY },
    id,
    assurance,
    measurements: [measurement],
    trust: [enrolment.trust],
    notBefore: now - DAY,
    notAfter: now + 30 * DAY,
  })
  return {
    v: 1,
    seq: 1,
    issuedAt: now,
    expiresAt: now + 30 * DAY,
    excludedSigners: [],
    simulation: true,
    tenant: TENANT,
    audience: AUDIENCE,
    roots: [{ product: 'Genoa', ark: enrolment.ark, simulated: true }],
    referenceValues: [
      reference('worker-1', 'measured', measurements.measured),
      reference('vm-shape-1', 'platform', measurements.platform),
    ],
    clients: [{ id: CLIENT, keys: [P384Jwk.parse(exportJwk(client.key))] }],
    auditKey: enrolment.auditJwk,
    populations: [{ id: DATASET, budget: null }],
    datasets: [
      {
        id: DATASET,
        population: DATASET,
        synthetic: true,
        sealingKeys: [P384Jwk.parse(exportJwk(sealing.key))],
        keyIds: [KEYS.dataset],
        notSealedBefore: now - DAY,
        idKey,
        assurance: { level: 'measured' },
        consent: null,
        permissions: [
          {
            id: 'research-summary',
            client: CLIENT,
            purpose: PURPOSE,
            edition: 1,
            scopes: SCOPES,
            projection: { view: 'minimal', details: [] },
            sensitive: [],
            codeTable: CODE_TABLE_DIGEST,
            workload: workloadOf(enrolment.workload),
            output: {
              contentType: COUNT_TABLE_CONTENT_TYPE,
              maxBytes: MAX_RESULT_BYTES,
              disclosure: { form: 'threshold', k: MINIMUM_CELL, cap: null },
            },
            recipient: {
              jwk: RsaJwk.parse(exportJwk(result.key)),
              keyId: KEYS.result,
              keyVersionId: result.keyVersionId,
            },
            quota: QUOTA,
            notBefore: now - DAY,
            notAfter: now + 30 * DAY,
          },
        ],
      },
    ],
  }
}

/** The dataset's identity key exists in the clear only inside this function. */
async function wrapNewIdKey(vault: KeyVault): Promise<Policy['datasets'][number]['idKey']> {
  const idKey = randomBytes(ID_KEY_BYTES)
  try {
    const { wrapped, keyVersionId } = await vault.encrypt(
      KEYS.identity,
      idKey,
      idKeyAssociatedData(TENANT, DATASET),
    )
    return { keyId: KEYS.identity, keyVersionId, wrapped: toBase64url(wrapped) }
  } finally {
    idKey.fill(0)
  }
}

function workloadOf(anchor: string): Terms['workload'] {
  const [name = '', digest = ''] = anchor.split('@')
  if (!/^[0-9a-f]{64}$/.test(digest))
    throw new CodedError(
      'config.invalid',
      `the worker's workload is ${anchor}, expected <name>@<hex SHA-256>`,
    )
  return { name, digest: toBase64url(Buffer.from(digest, 'hex')), parameters: {} }
}
