/**
 * The rules about the guest: what its owner allowed at launch, and the privilege level that requested the
 * report.
 */
import { toHex } from '../bytes.ts'
import type { ReportErrorCode } from '../errors/report.ts'
import { GUEST_POLICY_BITS } from '../snp/layout.ts'
import { bitViolations } from './bitRules.ts'
import type { Rule } from './reference.ts'
import { refuse, unless } from './violation.ts'

const CODES: Partial<Record<keyof typeof GUEST_POLICY_BITS, ReportErrorCode>> = {
  debug: 'guest-policy.debug',
  migrateMa: 'guest-policy.migration',
}

export const guestPolicy: Rule = ({ verified: { report } }, { guestPolicy: { abi: _, ...rules } }) =>
  bitViolations(report.guestPolicy, rules).map(({ name, expected, actual }) =>
    refuse({
      code: CODES[name] ?? 'guest-policy.violated',
      field: `guestPolicy.${name}`,
      expected,
      actual,
      remedy: `launch the guest with POLICY bit ${GUEST_POLICY_BITS[name]} ${expected}`,
    }),
  )

export const guestAbi: Rule = ({ verified: { report } }, { guestPolicy: { abi: least } }) => {
  const { major, minor } = report.abi
  return unless(major > least.major || (major === least.major && minor >= least.minor), {
    code: 'guest-policy.violated',
    field: 'guestPolicy.abi',
    expected: `at least ${least.major}.${least.minor}`,
    actual: `${major}.${minor}`,
    remedy: 'launch the guest with a POLICY that requires this firmware ABI',
  })
}

/** REPORT_ID_MA is all ones if no migration agent is bound to the guest (SEV-SNP ABI, ATTESTATION_REPORT). */
export const migrationAgent: Rule = ({ verified: { report } }, { guestPolicy: { migrateMa } }) =>
  unless(migrateMa !== 'forbidden' || report.reportIdMa.every((byte) => byte === 0xff), {
    code: 'guest-policy.migration',
    field: 'reportIdMa',
    expected: 'all ff, no migration agent',
    actual: toHex(report.reportIdMa),
  })

export const guestSvn: Rule = ({ verified: { report } }, { guestSvn: least }) =>
  unless(report.guestSvn >= least, {
    code: 'guest-svn.below-floor',
    field: 'guestSvn',
    expected: `at least ${least}`,
    actual: String(report.guestSvn),
  })

export const vmpl: Rule = ({ verified: { report } }, { vmpl: demanded }) =>
  unless(report.vmpl === demanded, {
    code: 'vmpl.violated',
    field: 'vmpl',
    expected: String(demanded),
    actual: String(report.vmpl),
    remedy: `request the report at VMPL ${demanded}`,
  })
