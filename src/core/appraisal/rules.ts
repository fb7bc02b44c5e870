/** The rules of a release, each by itself: what of a report is not as the release demands. None stops another. */
import { toHex } from '#core/bytes.ts'
import type { ErrorCode, Refusal } from '#core/errors.ts'
import { GUEST_POLICY_BITS, PLATFORM_INFO_BITS } from '#core/snp/layout.ts'
import { toRfc3339, toUnixSeconds } from '#core/time.ts'
import { processor, tcbOrder } from './processorRules.ts'
import { oneOf, type Reference, type Rule } from './reference.ts'
import type { BitRule } from './release.ts'

const measurement: Rule = ({ verified }, { id, measurements }) => {
  const actual = toHex(verified.report.measurement)
  return measurements === 'any' || measurements.includes(actual)
    ? []
    : [
        {
          code: 'measurement.unknown',
          field: 'measurement',
          expected: oneOf(measurements),
          actual,
          remedy: `launch an approved image of ${id}, or approve this measurement in a new policy`,
        },
      ]
}

const window: Rule = ({ at }, { id, notBefore, notAfter }) =>
  notBefore <= at && at <= notAfter
    ? []
    : [
        {
          code: 'release.expired',
          field: 'release',
          expected: `${id} from ${timeText(notBefore)} to ${timeText(notAfter)}`,
          actual: toRfc3339(at),
          remedy: 'run a release that is in force, or extend this one in a new policy',
        },
      ]

const revocation: Rule = ({ revoked }, { id }) =>
  revoked.includes(id)
    ? [
        {
          code: 'release.revoked',
          field: 'release',
          expected: 'not revoked',
          actual: id,
          remedy: 'run a release that is not revoked; two signers can restore this one',
        },
      ]
    : []

/** A VLEK names no chip and is held by the cloud provider: no release accepts it. */
const signingKey: Rule = ({ verified: { report } }) =>
  report.signingKey === 'vcek'
    ? []
    : [
        {
          code: 'signing-key.excluded',
          field: 'signingKey',
          expected: 'vcek',
          actual: report.signingKey,
          remedy: 'use a host that signs with the key of its chip (VCEK)',
        },
      ]

const GUEST_POLICY_CODES: Partial<Record<keyof typeof GUEST_POLICY_BITS, ErrorCode>> = {
  debug: 'guest-policy.debug',
  migrateMa: 'guest-policy.migration',
}

const guestPolicy: Rule = ({ verified: { report } }, { guestPolicy: { abi, ...rules } }) => [
  ...abiViolations(report.abi, abi),
  ...bitViolations(report.guestPolicy, rules).map(({ name, expected, actual }) => ({
    code: GUEST_POLICY_CODES[name] ?? ('guest-policy.violated' as const),
    field: `guestPolicy.${name}`,
    expected,
    actual,
    remedy: `launch the guest with POLICY bit ${GUEST_POLICY_BITS[name]} ${expected}`,
  })),
]

function abiViolations(
  given: Reference['guestPolicy']['abi'],
  least: Reference['guestPolicy']['abi'],
): readonly Refusal[] {
  const enough = given.major > least.major || (given.major === least.major && given.minor >= least.minor)
  if (enough) return []
  return [
    {
      code: 'guest-policy.violated',
      field: 'guestPolicy.abi',
      expected: `at least ${least.major}.${least.minor}`,
      actual: `${given.major}.${given.minor}`,
      remedy: 'launch the guest with a POLICY that demands this firmware ABI',
    },
  ]
}

const platformInfo: Rule = ({ verified: { report } }, { platformInfo: rules }) => {
  const unknown = report.platformInfo >> BigInt(Object.keys(PLATFORM_INFO_BITS).length)
  const reserved: Refusal = {
    code: 'platform-info.violated',
    field: 'platformInfo.reserved',
    expected: 'clear',
    actual: `0x${report.platformInfo.toString(16)}`,
    remedy: 'use a verifier that knows what these bits of PLATFORM_INFO mean',
  }
  return [
    ...(unknown === 0n ? [] : [reserved]),
    ...bitViolations(report.platformBits, rules).map(({ name, expected, actual }) => ({
      code: 'platform-info.violated' as const,
      field: `platformInfo.${name}`,
      expected,
      actual,
      remedy: `use a host set up so that PLATFORM_INFO bit ${PLATFORM_INFO_BITS[name]} is ${expected}`,
    })),
  ]
}

const vmpl: Rule = ({ verified: { report } }, { vmpl: demanded }) =>
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

const trust: Rule = ({ trust: actual }, { trust: digests }) =>
  digests === 'any' || (actual !== undefined && digests.includes(actual))
    ? []
    : [
        {
          code: 'trust.unknown',
          field: 'trust',
          expected: oneOf(digests),
          actual: actual ?? 'none',
          remedy: 'give the worker an approved configuration, or approve this one in a new policy',
        },
      ]

const chips: Rule = ({ verified: { report } }, { chips: known }) => {
  const actual = toHex(report.chipId)
  return known === 'any' || known.includes(actual)
    ? []
    : [
        {
          code: 'chip.unknown',
          field: 'chipId',
          expected: oneOf(known),
          actual,
          remedy: 'run on an approved machine, or approve this chip in a new policy',
        },
      ]
}

export const RULES: readonly Rule[] = [
  measurement,
  window,
  revocation,
  signingKey,
  processor,
  tcbOrder,
  guestPolicy,
  platformInfo,
  vmpl,
  trust,
  chips,
]

function bitViolations<Name extends string>(
  bits: Readonly<Record<Name, boolean>>,
  rules: Readonly<Record<Name, BitRule>>,
): readonly { readonly name: Name; readonly expected: string; readonly actual: string }[] {
  // Object.keys forgets that the keys are those of `rules`.
  const names = Object.keys(rules) as Name[]
  return names
    .filter((name) => rules[name] !== 'any' && bits[name] !== (rules[name] === 'required'))
    .map((name) => ({
      name,
      expected: rules[name] === 'required' ? 'set' : 'clear',
      actual: bits[name] ? 'set' : 'clear',
    }))
}

function timeText(seconds: number): string {
  return toRfc3339(toUnixSeconds(seconds))
}
