/** The rules about the signing key: whose key it is, and whether its revocation was checked. */
import { LAST_SECOND, toRfc3339, toUnixSeconds, type UnixSeconds } from '../time.ts'
import { oneOf, type Rule } from './reference.ts'
import { refuse, unless } from './violation.ts'

/**
 * A cloud provider holds a VLEK, which names no chip: it counts only if the reference values approve that
 * provider.
 */
export const signingKey: Rule = ({ verified: { endorsement } }, { cspIds }) => {
  const { kind, cspId = '' } = endorsement
  return unless(kind === 'vcek' || cspIds.includes(cspId), {
    code: 'signing-key.excluded',
    field: 'signingKey',
    expected: cspIds.length === 0 ? 'vcek' : `vcek, or vlek of ${oneOf(cspIds)}`,
    actual: `vlek of ${cspId}`,
  })
}

/**
 * `verifyReport` refuses an ASK or ASVK that a list names. This rule asks whether there was a list, and a
 * recent one.
 */
export const revocationList: Rule = ({ verified: { crl, product }, at }, { crl: demanded }) => {
  if (demanded === 'not-required') return []
  if (crl === undefined)
    return [
      refuse({
        code: 'crl.missing',
        field: 'crl',
        expected: `a revocation list of ${product}`,
        actual: 'none',
      }),
    ]
  const until = addUpTo(crl.nextUpdate, demanded.graceSeconds)
  return unless(crl.thisUpdate <= at && at <= until, {
    code: 'crl.stale',
    field: 'crl',
    expected: `a list in force: this one is from ${toRfc3339(crl.thisUpdate)} to ${toRfc3339(until)}, grace included`,
    actual: toRfc3339(at),
    remedy: at < crl.thisUpdate ? 'check the clock of the verifier' : 'fetch the list again from AMD',
  })
}

/** Stops at the last second that can be written. */
function addUpTo(time: UnixSeconds, seconds: number): UnixSeconds {
  return toUnixSeconds(Math.min(time + seconds, LAST_SECOND))
}
