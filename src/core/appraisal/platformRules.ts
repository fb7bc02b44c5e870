/** The rules about the configuration of the host: PLATFORM_INFO. */
import { PLATFORM_INFO_BITS } from '../snp/layout.ts'
import { bitViolations } from './bitRules.ts'
import type { Rule } from './reference.ts'
import { refuse, unless } from './violation.ts'

export const platformInfo: Rule = ({ verified: { report } }, { platformInfo: rules }) =>
  bitViolations(report.platformBits, rules).map(({ name, expected, actual }) =>
    refuse({
      code: 'platform-info.violated',
      field: `platformInfo.${name}`,
      expected,
      actual,
      remedy: `use a host configured so that PLATFORM_INFO bit ${PLATFORM_INFO_BITS[name]} is ${expected}`,
    }),
  )

/** An unknown bit may be a danger as well as a defence, so no reference values can have approved it. */
export const platformUnknown: Rule = ({ verified: { report } }) =>
  unless(report.platformInfo >> BigInt(Object.keys(PLATFORM_INFO_BITS).length) === 0n, {
    code: 'platform-info.violated',
    field: 'platformInfo.reserved',
    expected: 'clear',
    actual: `0x${report.platformInfo.toString(16)}`,
    remedy: 'use a verifier that knows these bits of PLATFORM_INFO',
  })
