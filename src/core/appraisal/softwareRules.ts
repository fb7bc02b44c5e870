/** The rules about the software: what was launched, whether its approval is in force, and how it is configured. */
import { toHex } from '../bytes.ts'
import { toRfc3339, toUnixSeconds } from '../time.ts'
import { oneOf, type Rule } from './reference.ts'

export const measurement: Rule = ({ verified }, { id, measurements }) => {
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

export const window: Rule = ({ at }, { id, notBefore, notAfter }) =>
  notBefore <= at && at <= notAfter
    ? []
    : [
        {
          code: 'reference.expired',
          field: 'reference',
          expected: `${id} from ${timeText(notBefore)} to ${timeText(notAfter)}`,
          actual: toRfc3339(at),
          remedy: 'run a reference that is in force, or extend this one in a new policy',
        },
      ]

export const withdrawal: Rule = ({ revoked }, { id }) =>
  revoked.includes(id)
    ? [
        {
          code: 'reference.revoked',
          field: 'reference',
          expected: 'not revoked',
          actual: id,
          remedy: 'run a reference that is not revoked; two signers can restore this one',
        },
      ]
    : []

export const trust: Rule = ({ trust: actual }, { trust: digests }) =>
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

function timeText(seconds: number): string {
  return toRfc3339(toUnixSeconds(seconds))
}
