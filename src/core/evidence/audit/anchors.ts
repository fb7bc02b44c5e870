/**
 * The documents that everything else is checked against, all verified from the provider root: certified grant
 * CAs, the boots that they registered, and the policies and revocation lists that the provider's signers
 * made.
 */
import { type Registration, RegistrationFormat, readRegistration } from '../../boot/registration.ts'
import { fromUtf8 } from '../../bytes.ts'
import { CodedError } from '../../errors.ts'
import { type QuorumRoot, verifyCompact } from '../../jws.ts'
import type { ObjectReader } from '../../objectReader.ts'
import { GovernanceBucket } from '../../policy/bucket.ts'
import { type GrantCa, grantCasOf } from '../../policy/verifierKeys.ts'
import { SealRecordFormat, sealRecordName } from '../../sealed/record.ts'
import type { Collection } from './collection.ts'
import { type Findings, messageOf } from './finding.ts'
import { Governed } from './governed.ts'

export type Anchors = {
  /** By boot. */
  readonly registrations: ReadonlyMap<string, Registration>
  /** Every one that was ever certified. */
  readonly grantCas: readonly GrantCa[]
  readonly governed: Governed
  /** The sealIds of withdrawn objects, by the digest of the header: only that is in a log. */
  readonly withdrawn: ReadonlyMap<string, string>
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
  const governed = new Governed(candidates, root)
  return { registrations, grantCas, governed, withdrawn: await readWithdrawn(governance, governed, findings) }
}

const WITHDRAWN_AT_ONCE = 64

/** Reads the seal records of withdrawn objects. */
async function readWithdrawn(
  governance: ObjectReader,
  { withdrawn, sealingKeys }: Governed,
  findings: Findings,
): Promise<ReadonlyMap<string, string>> {
  const digests = new Map<string, string>()
  const ids = [...withdrawn]
  const read = async (sealId: string): Promise<void> => {
    const name = sealRecordName(sealId)
    try {
      const bytes = await governance.read(name, signedBytes(SealRecordFormat))
      if (bytes === undefined) throw new CodedError('evidence.malformed', 'it is absent')
      const { payload } = verifyCompact(
        SealRecordFormat,
        fromUtf8(bytes),
        sealingKeys,
        'evidence.inconsistent',
      )
      if (payload.sealId !== sealId)
        throw new CodedError('evidence.inconsistent', 'it is about another object')
      digests.set(payload.headerDigest, sealId)
    } catch (error) {
      findings.add('seal.missing', `${name}: ${messageOf(error)}`)
    }
  }
  for (let start = 0; start < ids.length; start += WITHDRAWN_AT_ONCE)
    await Promise.all(ids.slice(start, start + WITHDRAWN_AT_ONCE).map(read))
  return digests
}
