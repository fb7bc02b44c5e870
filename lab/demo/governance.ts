/** Signs and publishes the Verifier's keys and the release policy, as the hospital's two signers do. */

import { approvalOf } from '#cli/approve/approval.ts'
import { openDocument } from '#cli/policy/documents.ts'
import { type Form, policyForm } from '#cli/policy/form.ts'
import { type Bench, memberOf } from '#cli/policy/governance.ts'
import { wrapNewIdKey } from '#cli/policy/identityKey.ts'
import { workloadOf } from '#cli/policy/initOptions.ts'
import { policyIn } from '#cli/policy/policyFile.ts'
import { addSignature, publishDocument } from '#cli/policy/signing.ts'
import { draftVerifierKeys } from '#cli/policy/signingActions.ts'
import { utf8 } from '#core/bytes.ts'
import { type Ed25519Jwk, exportJwk, type P256Jwk, P384Jwk, RsaJwk } from '#core/jwk.ts'
import type { Signer } from '#core/jws.ts'
import { type Kind, signDocument } from '#core/policy/document.ts'
import type { Policy } from '#core/policy/policy.ts'
import type { UnixSeconds } from '#core/time.ts'
import type { KeyVault } from '#ports/keyVault.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { AUDIENCE, CLIENT, DATASET, KEYS, PROVIDER, PURPOSE, SCOPES, TENANT } from './names.ts'

const DAYS = 30
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

/**
 * Puts `verifier-keys/1` and `policy/1` in force, by the steps of `policy sign` and `policy publish`: each signer
 * adds a signature, and what could not come into force is refused. Returns the policy.
 */
export async function publishGovernance(
  bench: Bench,
  vaults: EnrolmentVaults,
  enrolment: Enrolment,
): Promise<Policy> {
  const { signers } = enrolment
  const [grantCa, form] = await Promise.all([
    vaults.provider.publicKey(KEYS.grantCa),
    policyOf(vaults, enrolment),
  ])
  const verifierKeys = draftVerifierKeys(bench, {
    seq: 1,
    grantCa: { jwk: P384Jwk.parse(exportJwk(grantCa.key)), keyId: KEYS.grantCa },
    freshnessKey: enrolment.freshnessJwk,
    days: DAYS,
  })
  await putInForce(verifierKeys, bench, signers)
  await putInForce(form, bench, signers)
  return policyIn({ value: form }, 'the policy of the demo')
}

async function putInForce(value: unknown, bench: Bench, signers: readonly Signer[]): Promise<void> {
  const { config } = bench
  let document = openDocument({ value, signed: undefined, path: 'the draft' }, config)
  for (const signer of signers) {
    const signed = await addSignature(document, memberOf(signer, bench))
    document = openDocument({ value, signed, path: document.name }, config)
  }
  await publishDocument(document, bench, 0)
}

/** Signs any document, also one that could not come into force, and creates its object. */
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

/** As `policy init` makes it from the same answers. */
async function policyOf(vaults: EnrolmentVaults, enrolment: Enrolment): Promise<Form> {
  const { now, measurements, trust } = enrolment
  const [sealing, client, result, idKey] = await Promise.all([
    vaults.provider.publicKey(KEYS.sealing),
    vaults.client.publicKey(KEYS.client),
    vaults.result.publicKey(KEYS.result),
    wrapNewIdKey(vaults.provider, KEYS.identity, { tenant: TENANT, dataset: DATASET }),
  ])
  const approve = (id: string, assurance: 'measured' | 'platform', measurement: string) =>
    approvalOf({ id, assurance, measurement, trust: [trust], now, days: DAYS })
  return policyForm({
    now,
    days: DAYS,
    tenant: TENANT,
    audience: AUDIENCE,
    client: CLIENT,
    dataset: DATASET,
    purpose: PURPOSE,
    permission: 'research-summary',
    scopes: SCOPES,
    simulation: { roots: [{ product: 'Genoa', ark: enrolment.ark, simulated: true }] },
    referenceValues: [
      approve('worker-1', 'measured', measurements.measured),
      approve('vm-shape-1', 'platform', measurements.platform),
    ],
    clientKeys: [P384Jwk.parse(exportJwk(client.key))],
    auditKey: enrolment.auditJwk,
    sealingKeys: [P384Jwk.parse(exportJwk(sealing.key))],
    keyIds: [KEYS.dataset],
    idKey,
    workload: workloadOf(enrolment.workload),
    recipient: {
      jwk: RsaJwk.parse(exportJwk(result.key)),
      keyId: KEYS.result,
      keyVersionId: result.keyVersionId,
    },
    quota: QUOTA,
  })
}
