/**
 * Whose result it is, before it is opened. A manifest counts where a registered worker has signed it, the registration
 * is by a grant CA, and a quorum of the provider's signers has certified that CA: from the pin and nothing else.
 */

import { RegistrationFormat, readRegistration, registrationName } from '#core/boot/registration.ts'
import { fromUtf8 } from '#core/bytes.ts'
import { CodedError, under } from '#core/errors.ts'
import type { Shelf } from '#core/evidence/audit/collection.ts'
import { peekCompact, type Root, verifyCompact } from '#core/jws.ts'
import { type GrantCa, readGrantCa, VerifierKeysFormat, verifierKeysName } from '#core/policy/verifierKeys.ts'
import { manifestName, type ResultManifest, ResultManifestFormat } from '#core/sealed/manifest.ts'

export type ResultTrust = {
  readonly providerRoot: Root
  /** Whether results of a simulated root are opened. */
  readonly simulation: boolean
  /** The provider's objects `verifier-keys/<seq>` and `registration/<boot>`; nothing of them is listed. */
  readonly governance: Pick<Shelf, 'read'>
  readonly registrations: Pick<Shelf, 'read'>
}

const MAX_MANIFEST_BYTES = ResultManifestFormat.maxBytes * 2
/** Base64url and up to 16 signatures. */
const MAX_KEYS_BYTES = VerifierKeysFormat.maxBytes * 2 + 16_384
const MAX_REGISTRATION_BYTES = RegistrationFormat.maxBytes * 2 + 1024

/**
 * Throws `service.missing` where there is no such result, `result.foreign` where no registered worker signed it,
 * `evidence.simulated`, and `evidence.inconsistent` where keys or registration do not lead to the root.
 */
export async function readManifest(
  results: Pick<Shelf, 'read'>,
  resultId: string,
  trust: ResultTrust,
): Promise<ResultManifest> {
  const name = manifestName(resultId)
  const bytes = await results.read(name, MAX_MANIFEST_BYTES)
  if (bytes === undefined)
    throw new CodedError('service.missing', `there is no result ${resultId}, or it may not be seen`)
  const jws = under('record.malformed', () => fromUtf8(bytes, name))
  const { boot } = peekCompact(ResultManifestFormat, jws, 'record.malformed').payload
  const registration = await findRegistration(boot, trust)
  if (registration.role !== 'worker')
    throw new CodedError('result.foreign', `the manifest is by the ${registration.role} ${boot}`)
  const { payload } = verifyCompact(ResultManifestFormat, jws, [registration.key], 'result.foreign')
  if (payload.resultId !== resultId)
    throw new CodedError('result.foreign', `the manifest is of another result, ${payload.resultId}`)
  if ((payload.simulation || registration.simulation) && !trust.simulation)
    throw new CodedError('evidence.simulated', 'the result was made on a simulated machine')
  return payload
}

async function findRegistration(boot: string, trust: ResultTrust) {
  const name = registrationName(boot)
  const bytes = await trust.registrations.read(name, MAX_REGISTRATION_BYTES)
  if (bytes === undefined) throw new CodedError('result.foreign', `the worker ${boot} is not registered`)
  return readRegistration(bytes, name, await readGrantCas(trust))
}

/** They are numbered 1, 2, 3, … without gaps. */
async function readGrantCas({ governance, providerRoot }: ResultTrust): Promise<readonly GrantCa[]> {
  const grantCas: GrantCa[] = []
  for (;;) {
    const name = verifierKeysName(grantCas.length + 1)
    const bytes = await governance.read(name, MAX_KEYS_BYTES)
    if (bytes === undefined) return grantCas
    grantCas.push(readGrantCa(bytes, name, providerRoot))
  }
}
