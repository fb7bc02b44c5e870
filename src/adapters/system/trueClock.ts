/**
 * A Verifier with a wrong clock would date evidence and judge validity wrongly. It refuses until its clock is
 * right, and goes on by itself.
 */

import { CodedError } from '#core/errors.ts'
import type { ClockSkew } from './clockSkew.ts'

export const MAX_SKEW_SECONDS = 60

type Skew = Pick<ClockSkew, 'seconds'>

/** Throws `clock.skewed`, also before the first answer of OCI. */
export function expectTrueClock(skew: Skew): void {
  if (hasTrueClock(skew)) return
  const seconds = skew.seconds('oci')
  const found =
    seconds === undefined
      ? "this clock has not been compared with OCI's"
      : `this clock is ${Math.abs(seconds)} seconds ${seconds > 0 ? 'ahead of' : 'behind'} OCI's`
  throw new CodedError('clock.skewed', `${found}, at most ${MAX_SKEW_SECONDS} are allowed`)
}

export function hasTrueClock(skew: Skew): boolean {
  const seconds = skew.seconds('oci')
  return seconds !== undefined && Math.abs(seconds) <= MAX_SKEW_SECONDS
}
