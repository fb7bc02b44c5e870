import { toRfc3339, toUnixSeconds } from '#core/time.ts'
import { accepts, at, CRL, CSP, refuses } from './appraisalCases.ts'

const window = { notBefore: 0, notAfter: 253_402_300_799 }
const { thisUpdate, nextUpdate } = CRL

accepts([
  { name: 'a VLEK of an approved provider', csp: CSP, reference: { cspIds: ['CN=other.example', CSP] } },
  { name: 'a VCEK beside an approved provider', reference: { cspIds: [CSP] } },
  { name: 'a list in force', crl: CRL, reference: { crl: { graceSeconds: 0 } } },
  {
    name: 'a list in its first second',
    crl: CRL,
    at: thisUpdate,
    reference: { ...window, crl: { graceSeconds: 0 } },
  },
  {
    name: 'a list in its last second',
    crl: CRL,
    at: nextUpdate,
    reference: { ...window, crl: { graceSeconds: 0 } },
  },
  {
    name: 'a list in the last second of its grace',
    crl: CRL,
    at: nextUpdate + 3600,
    reference: { ...window, crl: { graceSeconds: 3600 } },
  },
  {
    name: 'an old list if none is required',
    crl: { ...CRL, nextUpdate: toUnixSeconds(at - 1) },
  },
  {
    name: 'a list whose grace would pass the year 9999',
    crl: { ...CRL, nextUpdate: toUnixSeconds(253_402_300_000) },
    reference: { crl: { graceSeconds: 7_776_000 } },
  },
])

refuses([
  {
    name: 'a VLEK',
    csp: CSP,
    code: 'signing-key.excluded',
    field: 'signingKey',
    expected: 'vcek',
    actual: `vlek of ${CSP}`,
  },
  {
    name: 'a VLEK of another provider',
    csp: `${CSP}.org`,
    reference: { cspIds: [CSP] },
    code: 'signing-key.excluded',
    field: 'signingKey',
    expected: `vcek, or vlek of ${CSP}`,
    actual: `vlek of ${CSP}.org`,
  },
  {
    name: 'a missing list if one is required',
    reference: { crl: { graceSeconds: 7_776_000 } },
    code: 'crl.missing',
    field: 'crl',
    expected: 'a revocation list of Genoa',
    actual: 'none',
  },
  {
    name: 'a list from the future',
    crl: CRL,
    at: thisUpdate - 1,
    reference: { ...window, crl: { graceSeconds: 3600 } },
    code: 'crl.stale',
    field: 'crl',
    remedy: /clock/,
  },
  {
    name: 'a list past its grace',
    crl: CRL,
    at: nextUpdate + 3601,
    reference: { ...window, crl: { graceSeconds: 3600 } },
    code: 'crl.stale',
    field: 'crl',
    expected: `a list in force: this one is from ${toRfc3339(thisUpdate)} to ${toRfc3339(toUnixSeconds(nextUpdate + 3600))}, grace included`,
    actual: toRfc3339(toUnixSeconds(nextUpdate + 3601)),
    remedy: /fetch/,
  },
])
