/** The rules about the software: its launch measurement, its approval, and its configuration. */
import { toHex } from '../bytes.ts'
import { toRfc3339, toUnixSeconds } from '../time.ts'
import { oneOf, type Rule } from './reference.ts'
import { unless } from './violation.ts'

export const measurement: Rule = ({ verified }, { measurements }) => {
  const actual = toHex(verified.report.measurement)
  return unless(measurements === 'any' || measurements.includes(actual), {
    code: 'measurement.unknown',
    field: 'measurement',
    expected: oneOf(measurements),
    actual,
  })
}

export const window: Rule = ({ at }, { id, notBefore, notAfter }) =>
  unless(notBefore <= at && at <= notAfter, {
    code: 'reference.expired',
    field: 'reference',
    expected: `${id} from ${timeText(notBefore)} to ${timeText(notAfter)}`,
    actual: toRfc3339(at),
  })

export const withdrawal: Rule = ({ revoked }, { id }) =>
  unless(!revoked.includes(id), {
    code: 'reference.revoked',
    field: 'reference',
    expected: 'not revoked',
    actual: id,
  })

export const trust: Rule = ({ trust: actual }, { trust: digests }) =>
  unless(digests === 'any' || (actual !== undefined && digests.includes(actual)), {
    code: 'trust.unknown',
    field: 'trust',
    expected: oneOf(digests),
    actual: actual ?? 'none',
  })

function timeText(seconds: number): string {
  return toRfc3339(toUnixSeconds(seconds))
}
