import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluate } from '#core/appraisal/appraise.ts'
import { MEASUREMENT } from '../../amd.ts'
import { accepts, at, OTHER_MEASUREMENT, POLICY, RELEASE, refuses, TRUST, verifiedReport } from './subject.ts'

accepts([
  { name: 'an approved worker' },
  { name: 'the first second of a release', at: RELEASE.notBefore },
  { name: 'the last second of a release', at: RELEASE.notAfter },
  { name: 'one of several measurements', release: { measurements: [OTHER_MEASUREMENT, MEASUREMENT] } },
  { name: 'one of several configurations', release: { trust: ['x'.repeat(43), TRUST] } },
  { name: 'a revoked release that is another one', revoked: ['worker-0', 'worker-10'] },
])

refuses([
  {
    name: 'another measurement',
    platform: { measurement: OTHER_MEASUREMENT },
    code: 'measurement.unknown',
    field: 'measurement',
    expected: MEASUREMENT,
    actual: OTHER_MEASUREMENT,
  },
  {
    name: 'a measurement that only begins like an approved one',
    platform: { measurement: `${MEASUREMENT.slice(0, -2)}00` },
    code: 'measurement.unknown',
    field: 'measurement',
  },
  {
    name: 'any measurement where none is approved',
    release: { measurements: [] },
    code: 'measurement.unknown',
    field: 'measurement',
  },
  { name: 'a release before its time', at: RELEASE.notBefore - 1, code: 'release.expired', field: 'release' },
  { name: 'a release after its time', at: RELEASE.notAfter + 1, code: 'release.expired', field: 'release' },
  { name: 'a revoked release', revoked: ['worker-0', 'worker-1'], code: 'release.revoked', field: 'release' },
  {
    name: 'another configuration',
    trust: 'x'.repeat(43),
    code: 'trust.unknown',
    field: 'trust',
    expected: TRUST,
    actual: 'x'.repeat(43),
  },
])

test('where no worker stands behind a report, no configuration is approved', () => {
  const subject = { verified: verifiedReport({}), trust: undefined, at, revoked: [] }
  const codes = (trust: readonly string[] | 'any') => {
    const releases = [{ ...RELEASE, trust: trust === 'any' ? trust : [...trust] }]
    const result = evaluate(subject, { ...POLICY, releases })
    return result.kind === 'refused' ? result.reasons.map(({ code, actual }) => [code, actual]) : []
  }
  assert.deepEqual(codes([TRUST]), [['trust.unknown', 'none']])
  assert.deepEqual(codes('any'), [])
})
