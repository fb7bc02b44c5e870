/**
 * Vectors of the form of a case and its reference values: a missing, misspelt or out-of-range field is
 * refused.
 */
import type { Json } from '#core/canonical.ts'
import { accepted, refused } from './cases.ts'
import { REFERENCE } from './policyReference.ts'
import type { Case } from './vector.ts'
import { MEASUREMENT, NOW } from './world.ts'

type Members = { readonly [name: string]: Json }
const FULL: Members = JSON.parse(JSON.stringify({ ...REFERENCE, crl: { graceSeconds: 3600 } }))
const NESTED = ['crl', 'firmware', 'mitigations', 'guestPolicy', 'platformInfo'] as const
const MALFORMED = 'case.malformed'

export function referenceVectors(): readonly Case[] {
  const loads = (name: string, reference: Members) =>
    accepted(name, { reference: { ...reference, crl: 'not-required' } })
  const fails = (name: string, reference: Json) =>
    refused(name, MALFORMED, { reference: reference as Members })
  return [
    loads('a reference', FULL),
    ...Object.keys(FULL).map((field) => fails(`without ${field}`, without(FULL, field))),
    fails('with a field that nobody knows', { ...FULL, hostdata: 'any' }),
    ...NESTED.flatMap((group) => {
      const members = membersOf(FULL[group])
      return [
        ...Object.keys(members).map((field) =>
          fails(`without ${group}.${field}`, { ...FULL, [group]: without(members, field) }),
        ),
        fails(`with a field in ${group} that nobody knows`, { ...FULL, [group]: { ...members, more: 0 } }),
      ]
    }),
    ...processorVectors(fails, loads),
    ...valueVectors(fails, loads),
  ]
}

type Make = (name: string, reference: Members) => Case

function processorVectors(fails: Make, loads: Make): readonly Case[] {
  const row = membersOf((FULL['processors'] as readonly Json[])[0])
  const floor = membersOf(row['floor'])
  const rows = (...processors: readonly Json[]): Members => ({ ...FULL, processors })
  const other = (change: Members): Members => rows(row, { ...row, stepping: 2, ...change })
  return [
    fails('without any processor', rows()),
    ...Object.keys(row).map((field) => fails(`a processor without ${field}`, rows(without(row, field)))),
    ...Object.keys(floor).map((field) =>
      fails(`a floor without ${field}`, rows({ ...row, floor: without(floor, field) })),
    ),
    fails('a processor with a field that nobody knows', rows({ ...row, die: 'B1' })),
    fails('a floor with a field that nobody knows', rows({ ...row, floor: { ...floor, ucode: 1 } })),
    fails('a processor of an unknown product', rows({ ...row, product: 'Venice' })),
    loads('a stepping of 0 and of 255', rows(row, { ...row, stepping: 0 }, { ...row, stepping: 255 })),
    ...[-1, 256, 1.5].map((stepping) => fails(`a stepping of ${stepping}`, other({ stepping }))),
  ]
}

function valueVectors(fails: Make, loads: Make): readonly Case[] {
  const zeros = (bytes: number) => '00'.repeat(bytes)
  const key = 'c3'.repeat(48)
  const bad: readonly (readonly [name: string, field: string, value: Json])[] = [
    ['an id with a capital', 'id', 'Worker'],
    ['an assurance that nobody knows', 'assurance', 'software'],
    ['a time of text', 'notBefore', '2026-11-21T12:00:00Z'],
    ['a time before 1970', 'notBefore', -1],
    ['a time after 9999', 'notAfter', 253_402_300_800],
    ['no measurement', 'measurements', []],
    ['a measurement that is cut short', 'measurements', [MEASUREMENT, MEASUREMENT.slice(2)]],
    ['a measurement in capitals', 'measurements', [MEASUREMENT.toUpperCase()]],
    ['a measurement that is not in a list', 'measurements', MEASUREMENT],
    ['any in a list', 'measurements', ['any']],
    ['a revocation list that is only wished for', 'crl', 'required'],
    ['a grace below zero', 'crl', { graceSeconds: -1 }],
    ['a grace of more than 90 days', 'crl', { graceSeconds: 90 * 86_400 + 1 }],
    ['a CSP_ID of nothing', 'cspIds', ['']],
    ['a CSP_ID with a tab', 'cspIds', ['CN=\tcsp']],
    ['a CSP_ID of 129 characters', 'cspIds', ['x'.repeat(129)]],
    ['any provider', 'cspIds', 'any'],
    ['a firmware profile that nobody knows', 'firmwareProfile', 'any'],
    ['a bit that is only wished for', 'guestPolicy', { ...membersOf(FULL['guestPolicy']), smt: 'preferred' }],
    ['a bit that is a boolean', 'platformInfo', { ...membersOf(FULL['platformInfo']), ecc: true }],
    ['a mitigation vector of 15 digits', 'mitigations', { launch: '0'.repeat(15), current: '0'.repeat(16) }],
    ['VMPL 4', 'vmpl', 4],
    ['VMPL -1', 'vmpl', -1],
    ['a guest SVN below zero', 'guestSvn', -1],
    ['a guest SVN of 33 bits', 'guestSvn', 2 ** 32],
    ...(
      ['familyIds', 'imageIds', 'hostData', 'idKeyDigests', 'authorKeyDigests', 'chips', 'trust'] as const
    ).flatMap((field) => [
      [`an empty list of ${field}`, field, []] as const,
      [`null for ${field}`, field, [null]] as const,
      [`a value of ${field} that is cut short`, field, ['c3']] as const,
    ]),
    ['an ID key digest of zeros', 'idKeyDigests', [key, zeros(48)]],
    ['an author key digest of zeros', 'authorKeyDigests', [zeros(48)]],
    ['a chip of zeros', 'chips', [zeros(64)]],
  ]
  return [
    ...bad.map(([name, field, value]) => fails(name, { ...FULL, [field]: value })),
    loads('a CSP_ID of 128 characters', { ...FULL, cspIds: ['x'.repeat(128)] }),
    loads('a reference for all time', { ...FULL, notBefore: 0, notAfter: 253_402_300_799 }),
    accepted('a grace of 90 days, which is not needed', {
      reference: { ...FULL, crl: 'not-required', notBefore: NOW - 90 * 86_400 },
    }),
  ]
}

function without(members: Members, field: string): Members {
  return Object.fromEntries(Object.entries(members).filter(([name]) => name !== field))
}

function membersOf(value: Json | undefined): Members {
  // Called only with the objects of a reference.
  return value as Members
}
