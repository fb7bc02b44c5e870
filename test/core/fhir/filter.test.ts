import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { decide, filterAll, filterOf, PSEUDONYM_KEY, readable } from './grantedFilter.ts'

const SNOMED = 'http://snomed.info/sct'
const LOINC = 'http://loinc.org'
const HL7 = 'http://terminology.hl7.org/CodeSystem/'
const pseudonym = (reference: string) =>
  createHmac('sha256', PSEUDONYM_KEY).update(reference).digest('hex').slice(0, 32)

const observation = {
  resourceType: 'Observation',
  id: 'o1',
  status: 'final',
  category: [
    { coding: [{ system: `${HL7}observation-category`, code: 'laboratory', display: 'Lab' }], text: 'Lab' },
  ],
  code: { coding: [{ system: LOINC, code: '4548-4', display: 'HbA1c' }], text: 'HbA1c of Jane Doe' },
  subject: { reference: 'Patient/p1', display: 'Jane Doe' },
  encounter: { reference: 'Encounter/e1' },
  effectiveDateTime: '2021-05-16T09:37:00+01:00',
  issued: '2021-05-16T09:37:00.000+01:00',
  performer: [{ reference: 'Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|9999967299' }],
  note: [{ text: 'Jane Doe sleeps badly' }],
}
const projected = {
  resourceType: 'Observation',
  status: 'final',
  category: [{ coding: [{ system: `${HL7}observation-category`, code: 'laboratory' }] }],
  code: { coding: [{ system: LOINC, code: '4548-4' }] },
  subject: { reference: `Patient/${pseudonym('Patient/p1')}` },
  encounter: { reference: `Encounter/${pseudonym('Encounter/e1')}` },
  effectiveDateTime: '2021',
}

test('an observation in the minimal view', () => assert.deepEqual(decide(observation), projected))

test('says that it is a subset', () => {
  const outcome = filterOf().apply(Buffer.from(JSON.stringify(observation)))
  assert.ok(outcome.kind === 'kept')
  assert.deepEqual(JSON.parse(Buffer.from(outcome.line).toString()).meta, {
    tag: [{ system: `${HL7}v3-ObservationValue`, code: 'SUBSETTED' }],
  })
})

test('a patient keeps gender and year of birth, and has the pseudonym that references give', () => {
  const patient = {
    resourceType: 'Patient',
    id: 'p1',
    text: { status: 'generated', div: '<div>Jane Doe</div>' },
    identifier: [{ value: '12345' }],
    name: [{ family: 'Doe' }],
    gender: 'female',
    birthDate: '1980-02-29',
    deceasedDateTime: '2020-01-01T00:00:00Z',
    address: [{ city: 'Town' }],
    maritalStatus: { coding: [{ system: `${HL7}v3-MaritalStatus`, code: 'M' }] },
    contained: [{ resourceType: 'Patient', id: 'x', name: [{ family: 'Doe' }] }],
  }
  assert.deepEqual(decide(patient), {
    resourceType: 'Patient',
    id: pseudonym('Patient/p1'),
    gender: 'female',
    birthDate: '1980',
    deceasedDateTime: '2020',
  })
})

// One element each, added to the observation above, and its projection.
const elements: readonly (readonly [why: string, given: object, expected: object])[] = [
  ['a string value', { valueString: 'Jane Doe' }, {}],
  ['a decimal', { valueInteger: 7 }, { valueInteger: 7 }],
  ['a number as a string', { valueInteger: '7' }, {}],
  ['a boolean', { valueBoolean: false }, { valueBoolean: false }],
  ['an exponent', { valueInteger: 1e60 }, { valueInteger: 1e60 }],
  [
    'a quantity without its text',
    {
      valueQuantity: {
        value: 1,
        comparator: '<',
        unit: 'Jane',
        system: 'http://unitsofmeasure.org',
        code: 'mg/dL',
      },
    },
    { valueQuantity: { value: 1, comparator: '<', system: 'http://unitsofmeasure.org', code: 'mg/dL' } },
  ],
  [
    'a quantity with an unknown unit',
    { valueQuantity: { value: 1, system: 'http://x', code: 'y' } },
    { valueQuantity: { value: 1 } },
  ],
  ['a quantity without a value', { valueQuantity: { unit: 'Jane' } }, {}],
  [
    'a comparator that is a text',
    { valueQuantity: { value: 1, comparator: 'Jane' } },
    { valueQuantity: { value: 1 } },
  ],
  [
    'a range',
    { valueRange: { low: { value: 1, unit: 'x' }, high: { value: 2 } } },
    { valueRange: { low: { value: 1 }, high: { value: 2 } } },
  ],
  [
    'a period',
    { valuePeriod: { start: '2020-01-01', end: '2021' } },
    { valuePeriod: { start: '2020', end: '2021' } },
  ],
  ['half a period', { valuePeriod: { end: '2021-05' } }, { valuePeriod: { end: '2021' } }],
  ['a period of texts', { valuePeriod: { start: 'Jane' } }, {}],
  [
    'a local code',
    { valueCodeableConcept: { coding: [{ system: 'http://hospital.example', code: 'Jane' }] } },
    {},
  ],
  [
    'a text under a published system',
    { valueCodeableConcept: { coding: [{ system: SNOMED, code: 'Jane' }] } },
    {},
  ],
  ['a code without a system', { valueCodeableConcept: { coding: [{ code: '84229001' }] } }, {}],
  [
    'the published one of two codings',
    {
      valueCodeableConcept: {
        coding: [
          { system: 'http://x', code: '1' },
          { system: SNOMED, code: '84229001' },
        ],
      },
    },
    { valueCodeableConcept: { coding: [{ system: SNOMED, code: '84229001' }] } },
  ],
  [
    'a component, with its values only',
    {
      component: [
        {
          code: { coding: [{ system: LOINC, code: '8480-6' }], text: 'x' },
          valueString: 'Jane',
          extension: [],
        },
      ],
    },
    { component: [{ code: { coding: [{ system: LOINC, code: '8480-6' }] } }] },
  ],
  ['a component with nothing that passes', { component: [{ valueString: 'Jane' }] }, {}],
  ['an object instead of an array', { component: { valueInteger: 1 } }, { component: { valueInteger: 1 } }],
  ['arrays in arrays', { component: [[{ valueInteger: 1 }]] }, {}],
  ['an unknown element', { janeDoe: true }, {}],
  ['a prototype member', { constructor: true }, {}],
  ['an extension', { extension: [{ url: 'http://x', valueString: 'Jane' }] }, {}],
  ['the sibling of a primitive', { _status: { extension: [{ url: 'http://x', valueString: 'Jane' }] } }, {}],
  ['an attachment', { valueAttachment: { data: 'SmFuZQ==', url: 'http://x/Jane' } }, {}],
  ['a status outside its value set', { status: 'Jane' }, { status: undefined }],
  ['an invalid year', { effectiveDateTime: 'Jane-Doe' }, { effectiveDateTime: undefined }],
  ['a year with five digits', { effectiveDateTime: '20210' }, { effectiveDateTime: undefined }],
  ['a year of over 90 years ago', { effectiveDateTime: '1899-12-31' }, { effectiveDateTime: '1936' }],
  [
    'a conditional reference',
    { subject: { reference: 'Patient?identifier=http://x|Jane' } },
    { subject: undefined },
  ],
  [
    'an absolute reference',
    { subject: { reference: 'http://hospital.example/Patient/p1' } },
    { subject: undefined },
  ],
  ['a reference to a version', { subject: { reference: 'Patient/p1/_history/2' } }, { subject: undefined }],
  ['a reference to a contained resource', { subject: { reference: '#p1' } }, { subject: undefined }],
  [
    'a urn',
    { subject: { reference: 'urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0' } },
    { subject: undefined },
  ],
  ['an empty id', { subject: { reference: 'Patient/' } }, { subject: undefined }],
  ['a long id', { subject: { reference: `Patient/${'a'.repeat(65)}` } }, { subject: undefined }],
  ['an id with a space', { subject: { reference: 'Patient/Jane Doe' } }, { subject: undefined }],
  ['a subject of another type', { subject: { reference: 'Device/d1' } }, { subject: undefined }],
  ['a reference by identifier', { subject: { identifier: { value: 'Jane' } } }, { subject: undefined }],
  [
    'a group',
    { subject: { reference: 'Group/g1' } },
    { subject: { reference: `Group/${pseudonym('Group/g1')}` } },
  ],
]
for (const [why, given, expected] of elements)
  test(`projects ${why}`, () =>
    assert.deepEqual(
      decide({ ...observation, ...given }),
      JSON.parse(JSON.stringify({ ...projected, ...expected })),
    ))

test('escapes are resolved', () => {
  const text = JSON.stringify(observation)
  const slashes = text.replaceAll('/', '\\/')
  const expected = JSON.parse(JSON.stringify(projected))
  assert.deepEqual(decide(slashes), expected)
  const hidden = JSON.stringify({ ...observation, subject: { reference: 'Patient/p1' } }).replace(
    'p1',
    '\\u0070\\u0031',
  )
  assert.deepEqual(decide(hidden), expected)
})

test('a number of more than 40 digits is dropped', () =>
  assert.deepEqual(decide(`{"resourceType":"Observation","valueInteger":${'1'.repeat(41)}}`), {
    resourceType: 'Observation',
  }))

test('decimals keep their digits', () => {
  for (const digits of ['105.00', '0.1000000000000000055511', '-1.50e-3', '0']) {
    const line = `{"resourceType":"Observation","valueQuantity":{"value":${digits}}}`
    const outcome = filterOf().apply(Buffer.from(line))
    assert.ok(outcome.kind === 'kept')
    assert.ok(Buffer.from(outcome.line).toString().endsWith(`"valueQuantity":{"value":${digits}}}`))
  }
})

const withheld: readonly (readonly [why: string, resource: unknown, reason: string])[] = [
  ['a bundle', { resourceType: 'Bundle', entry: [{ resource: observation }] }, 'type'],
  ['parameters', { resourceType: 'Parameters', parameter: [{ resource: observation }] }, 'type'],
  ['a binary', { resourceType: 'Binary', data: 'SmFuZQ==' }, 'type'],
  ['a practitioner', { resourceType: 'Practitioner', name: [{ family: 'Doe' }] }, 'type'],
  ['a modifier extension', { ...observation, modifierExtension: [{ url: 'http://x' }] }, 'modifier'],
  [
    'a nested modifier extension',
    { ...observation, component: [{ modifierExtension: [{ url: 'http://x' }], valueInteger: 1 }] },
    'modifier',
  ],
  ['implicit rules', { ...observation, implicitRules: 'http://x' }, 'modifier'],
  ['a patient that is linked to another', { resourceType: 'Patient', id: 'p', link: [] }, 'modifier'],
  ['no type', { status: 'final' }, 'malformed'],
  ['an unknown type', { resourceType: 'Jane' }, 'malformed'],
  ['a type that is not a string', { resourceType: 1 }, 'malformed'],
  ['not JSON', '{"resourceType":"Observation",', 'malformed'],
  ['an array', '[{"resourceType":"Observation"}]', 'malformed'],
  ['a second type', '{"resourceType":"Observation","resourceType":"Patient"}', 'malformed'],
]
for (const [why, resource, reason] of withheld)
  test(`withholds ${why}`, () => assert.equal(decide(resource), reason))

const scoped: readonly (readonly [scopes: string[], reason: string | undefined])[] = [
  [['system/Observation.rs'], undefined],
  [['system/Observation.read'], undefined],
  [['system/Observation.r', 'system/Observation.s'], undefined],
  [['system/Observation.r'], 'scope'],
  [['system/Observation.s'], 'scope'],
  [['system/Observation.cud'], 'scope'],
  [['system/Patient.rs'], 'scope'],
  [[], 'scope'],
  [[`system/Observation.rs?category=${HL7}observation-category|laboratory`], undefined],
  [['system/Observation.rs?category=laboratory'], undefined],
  [['system/Observation.rs?category=vital-signs,laboratory'], undefined],
  [[`system/Observation.rs?category=${HL7}observation-category|`], undefined],
  [['system/Observation.rs?category=|laboratory'], 'criteria'],
  [['system/Observation.rs?category=http://x|laboratory'], 'criteria'],
  [['system/Observation.rs?category=Laboratory'], 'criteria'],
  [['system/Observation.rs?category=vital-signs'], 'criteria'],
  [['system/Observation.rs?category=laboratory&status=amended'], 'criteria'],
  [['system/Observation.rs?category=laboratory&status=final'], undefined],
  [['system/Observation.r', 'system/Observation.s?status=amended'], 'criteria'],
  [['system/Observation.r?status=final', 'system/Observation.s?category=laboratory'], undefined],
  [['system/Observation.rs?_tag=http://x|y'], 'criteria'],
  [['system/Observation.rs?value-concept=a'], 'criteria'],
]
for (const [scopes, reason] of scoped)
  test(`${scopes.join(' ')} ${reason === undefined ? 'lets it through' : `withholds it: ${reason}`}`, () =>
    assert.deepEqual(decide(observation, { scopes }), reason ?? projected))

test('a type that is not granted is withheld, whether the line begins with it or not', () => {
  const scopes = ['system/Patient.rs']
  assert.equal(decide('{"resourceType":"Observation",', { scopes }), 'scope')
  assert.equal(decide('{"id":"x","resourceType":"Observation"}', { scopes }), 'scope')
  assert.equal(decide('{"resourceType":"Observation","resourceType":"Patient"}', { scopes }), 'scope')
})

test('one malformed line among resources is counted and does not end the object', () => {
  const { lines, counts } = filterAll(Buffer.from(`nonsense\n${JSON.stringify(observation)}\n\n{}\n`))
  assert.equal(lines.length, 1)
  assert.deepEqual(counts, { read: 3, kept: { Observation: 1 }, withheld: { malformed: 2 } })
})

test('an object without any resource is malformed, an empty object is not', () => {
  assert.throws(() => filterAll(Buffer.from('a,b\n1,2\n')), { code: 'resource.malformed' })
  assert.deepEqual(filterAll(Buffer.alloc(0)).counts, { read: 0, kept: {}, withheld: {} })
})

test('another key gives other pseudonyms, the same key the same', () => {
  const first = readable(filterOf().apply(Buffer.from(JSON.stringify(observation))))
  assert.deepEqual(first, readable(filterOf().apply(Buffer.from(JSON.stringify(observation)))))
  assert.notEqual(pseudonym('Patient/p1'), pseudonym('Group/p1'))
})

test('a filter remembers pseudonyms and codes without mixing them up', () => {
  const filter = filterOf()
  for (let round = 0; round < 3; round++)
    for (let i = 0; i < 200; i++) {
      const line = JSON.stringify({
        ...observation,
        subject: { reference: `Patient/p${i}` },
        encounter: { reference: `Encounter/p${i}` },
      })
      assert.deepEqual(readable(filter.apply(Buffer.from(line))), {
        ...projected,
        subject: { reference: `Patient/${pseudonym(`Patient/p${i}`)}` },
        encounter: { reference: `Encounter/${pseudonym(`Encounter/p${i}`)}` },
      })
    }
})

test('wider scopes never let less through', () => {
  const pool = [
    'system/Observation.r',
    'system/Observation.s',
    'system/Observation.rs?status=final',
    'system/Observation.rs?category=laboratory',
    'system/Observation.rs?category=laboratory&status=amended',
    'system/Observation.s?code=4548-4',
    'system/Patient.rs',
    'system/Patient.rs?gender=female',
    'system/*.rs?_tag=a',
  ]
  const lines = Buffer.from(
    ['final', 'amended']
      .flatMap((status) =>
        ['laboratory', 'vital-signs'].flatMap((code) => [
          { ...observation, status, category: [{ coding: [{ code }] }] },
          { ...observation, meta: { tag: [{ code: 'a' }] } },
        ]),
      )
      .concat([
        { resourceType: 'Patient', id: 'p', gender: 'female' },
        { resourceType: 'Patient', id: 'q' },
      ] as never)
      .map((resource) => JSON.stringify(resource))
      .join('\n'),
  )
  fc.assert(
    fc.property(fc.subarray(pool), fc.subarray(pool), (narrow, more) => {
      const wide = new Set(filterAll(lines, { scopes: [...narrow, ...more] }).lines)
      for (const line of filterAll(lines, { scopes: narrow }).lines) assert.ok(wide.has(line))
    }),
  )
})

test('no mutation of a resource makes the filter throw or lets a text through', () => {
  const filter = filterOf()
  const bytes = Buffer.from(JSON.stringify({ ...observation, valueString: 'Jane Doe' }))
  const changes = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 })), {
    minLength: 1,
    maxLength: 4,
  })
  fc.assert(
    fc.property(changes, (changed) => {
      const line = Buffer.from(bytes)
      for (const [at, byte] of changed) line[at] = byte
      const outcome = filter.apply(line)
      if (outcome.kind === 'kept')
        assert.doesNotMatch(JSON.stringify(readable(outcome)), /Jane|Doe|sleeps|99999/)
    }),
    { numRuns: 3000 },
  )
})
