import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { checkOutput } from '#core/egress/check.ts'

const disclosure = { form: 'threshold', k: 11, cap: null } as const
const contract = { contentType: 'application/json', maxBytes: 10_000, disclosure }
const cell = {
  resourceType: 'Condition',
  system: 'http://snomed.info/sct',
  code: '444814009',
  year: '2020',
  count: 11,
}
const table = {
  v: 1,
  workload: 'fhir-summary',
  unit: { count: 'resources' },
  disclosure,
  table: [cell],
}
const output = (changes: object) => canonicalBytes({ ...table, ...changes })
const cells = (...changes: object[]) => output({ table: changes.map((change) => ({ ...cell, ...change })) })

const accepted: readonly (readonly [why: string, bytes: Uint8Array])[] = [
  ['a cell of the minimum size', cells({ count: 11 })],
  ['an empty table', output({ table: [] })],
  ['a cell of zero', cells({ count: 0 })],
  ['cells in order', cells({ year: null }, { year: '2019' }, { year: '2020' }, { code: '5', year: null })],
  ['a cell without system, code and year', cells({ system: null, code: null, year: null })],
]
for (const [why, bytes] of accepted)
  test(`accepts ${why}`, () => checkOutput(bytes, 'application/json', contract))

const refused: readonly (readonly [why: string, bytes: Uint8Array])[] = [
  ['a cell of ten', cells({ count: 10 })],
  ['a cell of one among others', cells({ year: '2018' }, { year: '2019', count: 1 }, { year: '2020' })],
  ['a negative count', cells({ count: -1 })],
  ['half a count', cells({ count: 11.5 })],
  ['a count as text', cells({ count: '11' })],
  ['the same cell twice', cells({}, {})],
  ['cells out of order', cells({ year: '2020' }, { year: '2019' })],
  ['a free text as a code', cells({ code: 'Jane Doe' })],
  ['a free text as a system', cells({ system: 'Jane Doe' })],
  ['a free text as a type', cells({ resourceType: 'jane doe' })],
  ['a date', cells({ year: '2020-01-01' })],
  ['an extra field in a cell', cells({ name: 'x' })],
  ['an extra field', output({ note: 'x' })],
  ['a table made for other cells', output({ disclosure: { ...disclosure, k: 5 } })],
  ['a table that shows all cells', output({ disclosure: { form: 'exact' } })],
  ['a word about the cells that are not shown', output({ cellsWithheld: false })],
  ['another unit', output({ unit: { count: 'persons' } })],
  ['no table', output({ table: undefined })],
  ['text that is not JSON', utf8('count,1')],
  ['JSON that is not canonical', utf8(JSON.stringify(table))],
  ['nothing', utf8('')],
  [
    'more than the contract allows',
    cells(...Array.from({ length: 100 }, (_, i) => ({ code: `${100 + i}` }))),
  ],
]
for (const [why, bytes] of refused)
  test(`refuses ${why}`, () =>
    assert.throws(() => checkOutput(bytes, 'application/json', contract), { code: 'output.violated' }))

test('refuses another content type', () =>
  assert.throws(() => checkOutput(cells({}), 'text/csv', contract), { code: 'output.violated' }))

test('refuses content that it cannot check for small cells', () =>
  assert.throws(() => checkOutput(cells({}), 'text/csv', { ...contract, contentType: 'text/csv' }), {
    code: 'output.violated',
    message: 'text/csv cannot be checked for small cells',
  }))

test('accepts anything of the right type and size if all cells may be shown', () => {
  const open = { ...contract, contentType: 'text/csv', disclosure: { form: 'exact' } as const }
  checkOutput(utf8('a,1'), 'text/csv', open)
  assert.throws(() => checkOutput(Buffer.alloc(10_001), 'text/csv', open), { code: 'output.violated' })
})
