/** The rules about the guest: what its owner allowed and demanded at launch, and where inside it the report was asked for. */
import { toHex } from '../bytes.ts'
import type { ReportErrorCode } from '../errors/report.ts'
import { GUEST_POLICY_BITS } from '../snp/layout.ts'
import { bitViolations } from './bitRules.ts'
import type { Rule } from './reference.ts'

const CODES: Partial<Record<keyof typeof GUEST_POLICY_BITS, ReportErrorCode>> = {
  debug: 'guest-policy.debug',
  migrateMa: 'guest-policy.migration',
}

export const guestPolicy: Rule = ({ verified: { report } }, { guestPolicy: { abi: _, ...rules } }) =>
  bitViolations(report.guestPolicy, rules).map(({ name, expected, actual }) => ({
    code: CODES[name] ?? ('guest-policy.violated' as const),
    field: `guestPolicy.${name}`,
    expected,
    actual,
    remedy: `launch the guest with POLICY bit ${GUEST_POLICY_BITS[name]} ${expected}`,
  }))

export const guestAbi: Rule = ({ verified: { report } }, { guestPolicy: { abi: least } }) => {
  const { major, minor } = report.abi
  if (major > least.major || (major === least.major && minor >= least.minor)) return []
  return [
    {
      code: 'guest-policy.violated',
      field: 'guestPolicy.abi',
      expected: `at least ${least.major}.${least.minor}`,
      actual: `${major}.${minor}`,
      remedy: 'launch the guest with a POLICY that demands this firmware ABI',
    },
  ]
}

/** REPORT_ID_MA is all ones where no migration agent is bound to the guest (SEV-SNP ABI, ATTESTATION_REPORT). */
export const migrationAgent: Rule = ({ verified: { report } }, { guestPolicy: { migrateMa } }) =>
  migrateMa !== 'forbidden' || report.reportIdMa.every((byte) => byte === 0xff)
    ? []
    : [
        {
          code: 'guest-policy.migration',
          field: 'reportIdMa',
          expected: 'all ff, no migration agent',
          actual: toHex(report.reportIdMa),
          remedy: 'launch the guest without a migration agent',
        },
      ]

export const guestSvn: Rule = ({ verified: { report } }, { guestSvn: least }) =>
  report.guestSvn >= least
    ? []
    : [
        {
          code: 'guest-svn.below-floor',
          field: 'guestSvn',
          expected: `at least ${least}`,
          actual: String(report.guestSvn),
          remedy: 'launch a newer image, whose ID block carries a higher GUEST_SVN',
        },
      ]

export const vmpl: Rule = ({ verified: { report } }, { vmpl: demanded }) =>
  report.vmpl === demanded
    ? []
    : [
        {
          code: 'vmpl.violated',
          field: 'vmpl',
          expected: String(demanded),
          actual: String(report.vmpl),
          remedy: `ask for the report at VMPL ${demanded}`,
        },
      ]
