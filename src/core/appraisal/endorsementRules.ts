/** The rules about who vouches for the signing key, and whether anybody looked for a revocation. */
import { LAST_SECOND, toRfc3339, toUnixSeconds, type UnixSeconds } from '../time.ts'
import { oneOf, type Rule } from './reference.ts'

/** A VLEK is held by the cloud provider and names no chip: it counts only where that provider is approved. */
export const signingKey: Rule = ({ verified: { endorsement } }, { cspIds }) => {
  const { kind, cspId = '' } = endorsement
  if (kind === 'vcek' || cspIds.includes(cspId)) return []
  return [
    {
      code: 'signing-key.excluded',
      field: 'signingKey',
      expected: cspIds.length === 0 ? 'vcek' : `vcek, or vlek of ${oneOf(cspIds)}`,
      actual: `vlek of ${cspId}`,
      remedy:
        'use a host that signs with the key of its chip (VCEK), or approve this provider in a new policy',
    },
  ]
}

/** AMD's list revokes ASKs and ASVKs; one that is listed has been refused by `verifyReport` already. Here: was there a list, and is it recent? */
export const revocationList: Rule = ({ verified: { crl, product }, at }, { crl: demanded }) => {
  if (demanded === 'not-required') return []
  if (crl === undefined)
    return [
      {
        code: 'crl.missing',
        field: 'crl',
        expected: `a revocation list of ${product}`,
        actual: 'none',
        remedy: "give the verifier AMD's revocation list of this product, from its key distribution service",
      },
    ]
  const until = addUpTo(crl.nextUpdate, demanded.graceSeconds)
  if (crl.thisUpdate <= at && at <= until) return []
  return [
    {
      code: 'crl.stale',
      field: 'crl',
      expected: `a list in force: this one from ${toRfc3339(crl.thisUpdate)} to ${toRfc3339(until)}, grace included`,
      actual: toRfc3339(at),
      remedy: at < crl.thisUpdate ? 'check the clock of the verifier' : 'fetch the list again from AMD',
    },
  ]
}

/** Not beyond the last second that can be written. */
function addUpTo(time: UnixSeconds, seconds: number): UnixSeconds {
  return toUnixSeconds(Math.min(time + seconds, LAST_SECOND))
}
