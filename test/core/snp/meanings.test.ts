import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  FIELDS,
  GUEST_POLICY_BITS,
  PLATFORM_INFO_BITS,
  POLICY_BIT_ONE,
  RESERVED,
  SIGNER_INFO,
} from '#core/snp/layout.ts'
import {
  FIELD_MEANINGS,
  type Meaning,
  PLATFORM_MEANINGS,
  POLICY_MEANINGS,
  RESERVED_MEANING,
  SIGNER_MEANINGS,
} from '#core/snp/meanings.ts'
import { readDocument, tableRows } from '../../docs/document.ts'

const page = await readDocument('docs/formats/report.md')

/** The rows of the table whose heading begins with these cells. */
function rowsUnder(...heading: readonly string[]): readonly (readonly string[])[] {
  const tables = page.split(/\n(?!\|)/).map(tableRows)
  const [, ...rows] = tables.find(([first]) => heading.every((cell, index) => first?.[index] === cell)) ?? []
  return rows
}

function compare(a: readonly string[], b: readonly string[]): number {
  return Number(a[0]) - Number(b[0])
}

test('docs/formats/report.md has each field with its offset, name and meaning', () => {
  const fields = Object.entries(FIELDS).map(([name, { at, size }]) => ({
    at,
    size,
    ...FIELD_MEANINGS[name as keyof typeof FIELDS],
  }))
  const expected = [...fields, ...RESERVED.map((field) => ({ ...field, ...RESERVED_MEANING }))]
    .sort((a, b) => a.at - b.at)
    .map(({ at, size, name, meaning }) => [
      `0x${at.toString(16).toUpperCase().padStart(3, '0')}`,
      String(size),
      name,
      meaning,
    ])
  assert.deepEqual(
    rowsUnder('offset', 'size', 'field', 'meaning').map((row) => row.slice(0, 4)),
    expected,
  )
})

const reserved = { name: 'reserved', meaning: 'must be one' }
const { signingKey: _, ...signerBits } = SIGNER_INFO
const tables: readonly (readonly [
  string,
  Readonly<Record<string, number>>,
  Readonly<Record<string, Meaning>>,
])[] = [
  ['POLICY', { ...GUEST_POLICY_BITS, reserved: POLICY_BIT_ONE }, { ...POLICY_MEANINGS, reserved }],
  ['PLATFORM_INFO', PLATFORM_INFO_BITS, PLATFORM_MEANINGS],
  ['SIGNER_INFO', signerBits, SIGNER_MEANINGS],
]
for (const [field, bits, meanings] of tables)
  test(`docs/formats/report.md has each bit of ${field} with its name and meaning`, () => {
    const expected = Object.entries(bits)
      .map(([key, bit]) => [String(bit), meanings[key]?.name ?? '', meanings[key]?.meaning ?? ''])
      .sort(compare)
    assert.deepEqual(rowsUnder(field, 'name'), expected)
  })
