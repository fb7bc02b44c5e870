/**
 * The documents that everything else is checked against, all verified from the provider root: certified grant
 * CAs, the boots that they registered, and the policies and revocation lists that the provider's signers
 * made.
 */
import { type Registration, RegistrationFormat, readRegistration } from '../../boot/registration.ts'
import type { QuorumRoot } from '../../jws.ts'
import { GovernanceBucket } from '../../policy/bucket.ts'
import { grantCasOf } from '../../policy/verifierKeys.ts'
import type { Collection } from './collection.ts'
import { type Findings, messageOf } from './finding.ts'
import { Governed } from './governed.ts'

export type Anchors = {
  /** By boot. */
  readonly registrations: ReadonlyMap<string, Registration>
  readonly governed: Governed
}

/** A signed document is larger than its payload: base64url and up to 16 signatures. */
const signedBytes = (format: { readonly maxBytes: number }): number => format.maxBytes * 2 + 16_384

export async function readAnchors(
  { governance, verifierLogs }: Collection,
  root: QuorumRoot,
  findings: Findings,
): Promise<Anchors> {
  const bucket = new GovernanceBucket(governance, root)
  await bucket.refresh()
  for (const { name, reason } of bucket.junk) findings.add('governance.ignored', `${name}: ${reason}`)
  const { candidates } = bucket
  const grantCas = grantCasOf(candidates.verifierKeys, root)
  if (grantCas.length === 0)
    findings.add('keys.missing', 'governance/verifier-keys has no certified grant CA')

  const registrations = new Map<string, Registration>()
  const registrationBytes = signedBytes(RegistrationFormat)
  for await (const name of verifierLogs.list('registration/')) {
    try {
      const bytes = (await verifierLogs.read(name, registrationBytes)) ?? Buffer.alloc(0)
      const registration = readRegistration(bytes, name, grantCas)
      registrations.set(registration.boot, registration)
    } catch (error) {
      findings.add('registration.unverified', `${name}: ${messageOf(error)}`)
    }
  }
  return { registrations, governed: new Governed(candidates, root) }
}
