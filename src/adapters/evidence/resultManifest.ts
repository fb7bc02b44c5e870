/**
 * The manifest of a result, verified before the result is opened. A registered worker must have signed it, and
 * the Verifier must have cosigned its log and permitted its output; a grant CA signed registrations and grant
 * keys, and a quorum of the provider's signers the CA. Trust comes only from the pin.
 */
import { RegistrationFormat, readRegistration, registrationName } from '#core/boot/registration.ts'
import { fromUtf8 } from '#core/bytes.ts'
import { CodedError, under } from '#core/errors.ts'
import { claimedBoots, openManifest } from '#core/evidence/manifest.ts'
import type { QuorumRoot } from '#core/jws.ts'
import type { ObjectReader } from '#core/objectReader.ts'
import { GovernanceFolder } from '#core/policy/bucket.ts'
import type { Deployment } from '#core/policy/envelope.ts'
import { type GrantCa, grantCasOf, VERIFIER_KEYS } from '#core/policy/verifierKeys.ts'
import { manifestName, type ResultManifest, ResultManifestFormat } from '#core/sealed/manifest.ts'

export type ResultTrust = {
  readonly providerRoot: QuorumRoot
  /** Documents for others do not count. */
  readonly deployment: Deployment
  /** Accepts results of a simulated root. */
  readonly simulation: boolean
  /** The provider's objects `verifier-keys/`, `revocation/` and `registration/<boot>`. */
  readonly governance: ObjectReader
  readonly registrations: Pick<ObjectReader, 'read'>
}

const MAX_MANIFEST_BYTES = ResultManifestFormat.maxBytes * 2
const MAX_REGISTRATION_BYTES = RegistrationFormat.maxBytes * 2 + 1024

/**
 * Throws `service.missing` if there is no such result, `result.foreign` if no registered worker signed it or
 * no Verifier permitted it, `evidence.simulated`, and `evidence.inconsistent` if keys or registration do not
 * lead to the root.
 */
export async function readManifest(
  results: Pick<ObjectReader, 'read'>,
  resultId: string,
  trust: ResultTrust,
): Promise<ResultManifest> {
  const name = manifestName(resultId)
  const bytes = await results.read(name, MAX_MANIFEST_BYTES)
  if (bytes === undefined)
    throw new CodedError('service.missing', `there is no result ${resultId}, or you may not read it`)
  const jws = under('record.malformed', () => fromUtf8(bytes, name))
  const claimed = claimedBoots(jws)
  const keys = new GovernanceFolder(VERIFIER_KEYS, trust.governance, trust.providerRoot)
  await keys.refresh()
  const grantCas = grantCasOf(keys.documents, trust.providerRoot, trust.deployment)
  const find = async (boot: string | undefined) =>
    boot === undefined ? undefined : await findRegistration(boot, grantCas, trust)
  const worker = await find(claimed.worker)
  const verifier = await find(claimed.verifier)
  const { manifest } = openManifest(jws, resultId, { worker, verifier, grantCas })
  if ((manifest.simulation || worker?.simulation === true) && !trust.simulation)
    throw new CodedError('evidence.simulated', 'the result was made on a simulated machine')
  return manifest
}

async function findRegistration(boot: string, grantCas: readonly GrantCa[], { registrations }: ResultTrust) {
  const name = registrationName(boot)
  const bytes = await registrations.read(name, MAX_REGISTRATION_BYTES)
  return bytes === undefined ? undefined : readRegistration(bytes, name, grantCas)
}
