/**
 * The manifest of a result, verified before the result is opened. A registered worker must have signed it, a
 * grant CA the registration, and a quorum of the provider's signers the CA. Trust comes only from the pin.
 */
import { RegistrationFormat, readRegistration, registrationName } from '#core/boot/registration.ts'
import { fromUtf8 } from '#core/bytes.ts'
import { CodedError, under } from '#core/errors.ts'
import { claimedBoot, openManifest } from '#core/evidence/manifest.ts'
import type { QuorumRoot } from '#core/jws.ts'
import type { ObjectReader } from '#core/objectReader.ts'
import { GovernanceFolder } from '#core/policy/bucket.ts'
import type { Deployment } from '#core/policy/envelope.ts'
import { grantCasOf, VERIFIER_KEYS } from '#core/policy/verifierKeys.ts'
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
 * Throws `service.missing` if there is no such result, `result.foreign` if no registered worker signed it,
 * `evidence.simulated`, and `evidence.inconsistent` if keys or registration do not lead to the root.
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
  const registration = await findRegistration(claimedBoot(jws), trust)
  const { manifest } = openManifest(jws, resultId, registration)
  if ((manifest.simulation || registration?.simulation === true) && !trust.simulation)
    throw new CodedError('evidence.simulated', 'the result was made on a simulated machine')
  return manifest
}

async function findRegistration(boot: string, trust: ResultTrust) {
  const name = registrationName(boot)
  const bytes = await trust.registrations.read(name, MAX_REGISTRATION_BYTES)
  if (bytes === undefined) return undefined
  const keys = new GovernanceFolder(VERIFIER_KEYS, trust.governance, trust.providerRoot)
  await keys.refresh()
  return readRegistration(bytes, name, grantCasOf(keys.documents, trust.providerRoot, trust.deployment))
}
