import assert from 'node:assert/strict'
import { test } from 'node:test'
import { condition, contractOf, fhirSummary, person, SNOMED, summaryOf } from './summary.ts'

const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))

test('counts resources by type, code and year', async () => {
  const table = await summaryOf(
    [condition(1), condition(2), condition(1), condition(1, '59621000'), condition(1, '444814009', '2021')],
    1,
  )
  assert.deepEqual(table, {
    v: 1,
    workload: 'fhir-summary',
    unit: { count: 'resources' },
    disclosure: { form: 'exact' },
    table: [
      { resourceType: 'Condition', system: SNOMED, code: '444814009', year: '2020', count: 3 },
      { resourceType: 'Condition', system: SNOMED, code: '444814009', year: '2021', count: 1 },
      { resourceType: 'Condition', system: SNOMED, code: '59621000', year: '2020', count: 1 },
    ],
  })
})

const smallCells: readonly (readonly [why: string, resources: object[], k: number, counts: number[]])[] = [
  ['eleven persons', times(11, (i) => condition(i)), 11, [11]],
  ['ten persons', times(10, (i) => condition(i)), 11, []],
  ['fifty resources of one person', times(50, () => condition(1)), 11, []],
  ['twenty of ten persons', times(20, (i) => condition(i % 10)), 11, []],
  ['twenty-two of eleven persons', times(22, (i) => condition(i % 11)), 11, [22]],
  ['eleven that point to nobody', times(11, () => condition(undefined)), 11, []],
  [
    'ten persons and one that points to nobody',
    [...times(10, (i) => condition(i)), condition(undefined)],
    11,
    [],
  ],
  ['one of none, where all cells are shown', [condition(undefined)], 1, [1]],
  [
    'a large cell beside a small one',
    [...times(12, (i) => condition(i)), condition(1, '59621000')],
    11,
    [12],
  ],
]
for (const [why, resources, k, counts] of smallCells)
  test(`${counts.length === 0 ? 'withholds' : 'shows'} ${why}`, async () => {
    const output = await summaryOf(resources, k)
    assert.deepEqual(
      output.table.map(({ count }) => count),
      counts,
    )
    assert.deepEqual(Object.keys(output), ['disclosure', 'table', 'unit', 'v', 'workload'])
  })

const subject = { reference: person(1) }
const cells: readonly (readonly [
  resource: object,
  system: string | null,
  code: string | null,
  year: string | null,
])[] = [
  [
    { resourceType: 'Patient', id: '0'.repeat(32), gender: 'female', birthDate: '1980' },
    'http://hl7.org/fhir/administrative-gender',
    'female',
    '1980',
  ],
  [
    {
      resourceType: 'Encounter',
      subject,
      class: { system: 'http://c', code: 'AMB' },
      type: [{ coding: [{ system: SNOMED, code: '1' }] }],
      period: { start: '2020' },
    },
    SNOMED,
    '1',
    '2020',
  ],
  [
    {
      resourceType: 'Encounter',
      subject,
      class: { system: 'http://c', code: 'AMB' },
      period: { end: '2021' },
    },
    'http://c',
    'AMB',
    '2021',
  ],
  [
    {
      resourceType: 'Immunization',
      patient: subject,
      vaccineCode: { coding: [{ system: 'http://v', code: '140' }] },
      occurrenceDateTime: '2019',
    },
    'http://v',
    '140',
    '2019',
  ],
  [
    {
      resourceType: 'ImagingStudy',
      subject,
      series: [{ modality: { system: 'http://d', code: 'CT' } }],
      started: '2018',
    },
    'http://d',
    'CT',
    '2018',
  ],
  [
    {
      resourceType: 'DocumentReference',
      subject,
      type: { coding: [{ system: 'http://l', code: '1-1' }] },
      context: { period: { start: '2017' } },
    },
    'http://l',
    '1-1',
    '2017',
  ],
  [
    {
      resourceType: 'Specimen',
      subject,
      type: { coding: [] },
      collection: { collectedPeriod: { start: '2016' } },
    },
    null,
    null,
    '2016',
  ],
  [{ resourceType: 'Observation', subject }, null, null, null],
  [
    {
      resourceType: 'Condition',
      subject,
      code: {
        coding: [
          { system: SNOMED, code: '1' },
          { system: SNOMED, code: '2' },
        ],
      },
      recordedDate: '2015',
    },
    SNOMED,
    '1',
    '2015',
  ],
]
for (const [resource, system, code, year] of cells)
  test(`reads the cell of ${JSON.stringify(resource).slice(0, 100)}`, async () => {
    const { table } = await summaryOf([resource], 1)
    assert.deepEqual(table, [
      { resourceType: Reflect.get(resource, 'resourceType'), system, code, year, count: 1 },
    ])
  })

test('the order of the lines does not matter', async () => {
  const resources = times(40, (i) => condition(i % 7, String(1000 + (i % 3)), String(2000 + (i % 5))))
  assert.deepEqual(await summaryOf(resources, 2), await summaryOf([...resources].reverse(), 2))
})

test('more cells than it may hold end the workload', async () => {
  const run = (await fhirSummary()).open(contractOf(11))
  assert.throws(
    () => {
      for (let i = 0; i <= 200_000; i++) run.add(Buffer.from(JSON.stringify(condition(1, String(i)))))
    },
    { code: 'workload.failed', message: 'the summary has more than 200000 cells' },
  )
})

test('more cells than the table may have end the workload', async () => {
  const run = (await fhirSummary()).open(contractOf(1))
  const add = (from: number, to: number) => {
    for (let i = from; i < to; i++) run.add(Buffer.from(JSON.stringify(condition(1, String(i)))))
  }
  add(0, 50_000)
  assert.equal(JSON.parse(Buffer.from(run.finish()).toString()).table.length, 50_000)
  add(50_000, 50_001)
  assert.throws(() => run.finish(), {
    code: 'workload.failed',
    message: 'the table has more than 50000 cells',
  })
})

for (const line of [
  '',
  '{}',
  '{"resourceType":"Practitioner"}',
  '{"resourceType":"constructor"}',
  'Jane Doe',
])
  test(`a line that no view writes ends the workload: ${line}`, async () => {
    const run = (await fhirSummary()).open(contractOf(11))
    assert.throws(() => run.add(Buffer.from(line)), { code: 'workload.failed' })
  })
