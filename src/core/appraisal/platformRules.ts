/** The rules about how the host is set up: PLATFORM_INFO. */
import { PLATFORM_INFO_BITS } from '../snp/layout.ts'
import { bitViolations } from './bitRules.ts'
import type { Rule } from './reference.ts'

export const platformInfo: Rule = ({ verified: { report } }, { platformInfo: rules }) =>
  bitViolations(report.platformBits, rules).map(({ name, expected, actual }) => ({
    code: 'platform-info.violated',
    field: `platformInfo.${name}`,
    expected,
    actual,
    remedy: `use a host set up so that PLATFORM_INFO bit ${PLATFORM_INFO_BITS[name]} is ${expected}`,
  }))

/** A bit that is not in the table may be a danger as well as a defence, so nobody can have approved it. */
export const platformUnknown: Rule = ({ verified: { report } }) =>
  report.platformInfo >> BigInt(Object.keys(PLATFORM_INFO_BITS).length) === 0n
    ? []
    : [
        {
          code: 'platform-info.violated',
          field: 'platformInfo.reserved',
          expected: 'clear',
          actual: `0x${report.platformInfo.toString(16)}`,
          remedy: 'use a verifier that knows what these bits of PLATFORM_INFO mean',
        },
      ]
