import { MEASUREMENT } from '../../amd.ts'
import { accepts, OTHER_MEASUREMENT, RELEASE, refuses, TRUST } from './subject.ts'

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
