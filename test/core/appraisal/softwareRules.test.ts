import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluate } from '#core/appraisal/appraise.ts'
import { MEASUREMENT } from '../../amd.ts'
import {
  accepts,
  at,
  OTHER_MEASUREMENT,
  POLICY,
  REFERENCE,
  refuses,
  TRUST,
  verifiedReport,
} from './appraisalCases.ts'

accepts([
  { name: 'an approved worker' },
  { name: 'reference values in their first second', at: REFERENCE.notBefore },
  { name: 'reference values in their last second', at: REFERENCE.notAfter },
  { name: 'one of several measurements', reference: { measurements: [OTHER_MEASUREMENT, MEASUREMENT] } },
  { name: 'one of several configurations', reference: { trust: ['x'.repeat(43), TRUST] } },
  { name: 'a worker while other reference values are revoked', revoked: ['worker-0', 'worker-10'] },
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
    name: 'a measurement that shares only its beginning with an approved one',
    platform: { measurement: `${MEASUREMENT.slice(0, -2)}00` },
    code: 'measurement.unknown',
    field: 'measurement',
  },
  {
    name: 'any measurement if none is approved',
    reference: { measurements: [] },
    code: 'measurement.unknown',
    field: 'measurement',
  },
  {
    name: 'reference values before their time',
    at: REFERENCE.notBefore - 1,
    code: 'reference.expired',
    field: 'reference',
  },
  {
    name: 'reference values after their time',
    at: REFERENCE.notAfter + 1,
    code: 'reference.expired',
    field: 'reference',
  },
  {
    name: 'revoked reference values',
    revoked: ['worker-0', 'worker-1'],
    code: 'reference.revoked',
    field: 'reference',
  },
  {
    name: 'another configuration',
    trust: 'x'.repeat(43),
    code: 'trust.unknown',
    field: 'trust',
    expected: TRUST,
    actual: 'x'.repeat(43),
  },
])

test('a report without a worker has no approved configuration', () => {
  const subject = { verified: verifiedReport({}), trust: undefined, at, revoked: [] }
  const codes = (trust: readonly string[] | 'any') => {
    const referenceValues = [{ ...REFERENCE, trust: trust === 'any' ? trust : [...trust] }]
    const result = evaluate(subject, { ...POLICY, referenceValues })
    return result.kind === 'refused' ? result.reasons.map(({ code, actual }) => [code, actual]) : []
  }
  assert.deepEqual(codes([TRUST]), [['trust.unknown', 'none']])
  assert.deepEqual(codes('any'), [])
})
