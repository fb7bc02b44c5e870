/** Under consent lists a resource passes only if it names its patient, and no one whom it names has withdrawn. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PatientIds } from '#core/fhir/patientIds.ts'
import { decide, filterAll } from './grantedFilter.ts'

const withdrawn = ['gone', 'f3b1c2d4-0000-4000-8000-000000000001', '7']
const condition = (rest: object) => ({ resourceType: 'Condition', id: 'c', ...rest })
const of = (reference: string) => condition({ subject: { reference } })
const outcome = (resource: unknown) => {
  const decided = decide(resource, { withdrawn })
  return typeof decided === 'string' ? decided : 'kept'
}

for (const reference of [
  'Patient/gone',
  'Patient/7',
  'Patient/gone/_history/2',
  'Patient/gone#p',
  'https://ehr.example/fhir/Patient/gone',
  'http://ehr.example/Patient/fhir/Patient/gone',
  'urn:uuid:f3b1c2d4-0000-4000-8000-000000000001',
  // A patient, but not one that can be read.
  'Patient/go%6ee',
  'Patient/',
  `Patient/${'a'.repeat(65)}`,
])
  test(`withheld: what is of ${reference}`, () => {
    assert.equal(outcome(of(reference)), 'consent')
    assert.equal(
      outcome(
        condition({
          subject: { reference: 'Patient/other' },
          extension: [{ valueReference: { reference } }],
        }),
      ),
      'consent',
    )
  })

for (const reference of [
  'Group/g',
  '#p',
  'Patient?identifier=x',
  'Encounter/gone',
  'urn:uuid:other',
  'other',
])
  test(`withheld: what says no more of its patient than ${reference}`, () => {
    assert.equal(outcome(of(reference)), 'consent')
  })

test('withheld: a withdrawn Patient, one without a readable id, and what names no one', () => {
  for (const patient of [{ id: 'gone' }, {}, { id: 7 }])
    assert.equal(outcome({ resourceType: 'Patient', ...patient }), 'consent')
  assert.equal(outcome(condition({})), 'consent')
  assert.equal(outcome(condition({ subject: { identifier: { value: 'gone' } } })), 'consent')
})

test('escapes hide no one', () => {
  const line = JSON.stringify(of('Patient/gone'))
  assert.equal(outcome(line.replace('Patient/gone', 'Patient\\/gone')), 'consent')
  assert.equal(outcome(line.replace('Patient/gone', '\\u0050atient/g\\u006fne')), 'consent')
  assert.equal(outcome(line.replace('Patient/gone', '\\u0050atient/other')), 'kept')
  assert.equal(outcome('{"resourceType":"Patient","id":"g\\u006fne"}'), 'consent')
})

test('others pass, also beside references to what is no patient', () => {
  for (const reference of [
    'Patient/other',
    'Patient/gone2',
    'Patient/Gone',
    'https://ehr.example/Patient/other',
  ])
    assert.equal(outcome(of(reference)), 'kept')
  assert.equal(outcome({ resourceType: 'Patient', id: 'other' }), 'kept')
  const performer = [{ reference: 'Practitioner/gone' }, { reference: '#gone' }, { reference: 7 }]
  assert.equal(outcome(condition({ subject: { reference: 'Patient/other' }, performer })), 'kept')
})

test('an empty list withholds no patient; without lists nothing is asked', () => {
  assert.notEqual(decide(of('Patient/gone'), { withdrawn: [] }), 'consent')
  assert.equal(decide(of('Group/g'), { withdrawn: [] }), 'consent')
  assert.notEqual(decide(of('Group/g')), 'consent')
})

test('counts say how many, with the other reasons', () => {
  const lines = [of('Patient/gone'), of('Patient/other'), of('Group/g'), { resourceType: 'Basic' }]
  const bytes = Buffer.from(lines.map((line) => JSON.stringify(line)).join('\n'))
  const { counts } = filterAll(bytes, { withdrawn })
  assert.deepEqual(counts, { read: 4, kept: { Condition: 1 }, withheld: { consent: 2, type: 1 } })
})

test('the set has exactly its ids, and none once wiped', () => {
  const id = fc.stringMatching(/^[A-Za-z0-9.-]{1,64}$/)
  fc.assert(
    fc.property(fc.array(id), fc.array(fc.array(id)), (others, lists) => {
      const texts = lists.map((list) => Buffer.from(list.map((one) => `${one}\n`).join('')))
      const set = new PatientIds(texts)
      const known = new Set(lists.flat())
      const has = (one: string) => set.has(Buffer.from(`(${one})`), 1, one.length + 1)
      assert.equal(set.size, known.size)
      for (const one of [...others, ...known]) assert.equal(has(one), known.has(one))
      assert.ok(texts.every((text) => text.every((byte) => byte === 0)))
      set.wipe()
      for (const one of known) assert.equal(has(one), false)
    }),
  )
})
