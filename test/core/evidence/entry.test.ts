import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { utf8 } from '#core/bytes.ts'
import { FINDINGS } from '#core/evidence/audit/finding.ts'
import { ENTRY_FIELDS, type Entry, EntryFormat } from '#core/evidence/entry.ts'

const intent: Entry = {
  v: 1,
  event: 'result.intent',
  time: 1_800_000_000,
  releaseId: '0'.repeat(32),
  resultId: '0'.repeat(64),
  attempt: '0'.repeat(32),
  contentDigest: 'A'.repeat(43),
  outputDigest: 'A'.repeat(43),
  termsDigest: 'A'.repeat(43),
  recipient: 'A'.repeat(43),
  counts: 'a.b.c.d.e',
}

test('an entry round-trips, and another spelling of it is refused', () => {
  const bytes = EntryFormat.encode(intent)
  assert.deepEqual(EntryFormat.decode(bytes), intent)
  const spaced = utf8(bytes.toString().replace(',', ', '))
  assert.throws(() => EntryFormat.decode(spaced), { code: 'evidence.malformed' })
})

test('the sealed counts have room for every resource type', () => {
  const counts = (length: number) => ({ ...intent, counts: `a.b.c.${'d'.repeat(length - 8)}.e` })
  assert.equal(EntryFormat.decode(EntryFormat.encode(counts(16_384))).event, 'result.intent')
  assert.throws(() => EntryFormat.encode(counts(16_385)), { code: 'evidence.malformed' })
})

for (const [name, entry] of [
  ['an unknown field', { ...intent, patient: 'x' }],
  ['a missing field', { ...intent, recipient: undefined }],
  ['an unknown event', { ...intent, event: 'result.guessed' }],
  ['another version', { ...intent, v: 2 }],
  ['free text for an id', { ...intent, releaseId: 'Jane Doe' }],
  ['a time with a fraction', { ...intent, time: 1.5 }],
] as const)
  test(`an entry is refused: ${name}`, () => {
    assert.throws(() => EntryFormat.encode(JSON.parse(JSON.stringify(entry))), { code: 'evidence.malformed' })
  })

const document = readFileSync(new URL('../../../docs/formats/evidence.md', import.meta.url), 'utf8')
const rowsOf = (heading: string) => {
  const section = document.split(/^## /m).find((text) => text.startsWith(heading)) ?? ''
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
}
const quoted = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text ?? '')

test('docs/formats/evidence.md has each event with its fields, and no other', () => {
  const groups = new Map([
    ['attestation', ['runtimeDataDigest', 'reportDigest', 'measurement']],
    ['request', ['requestDigest', 'tokenDigest', 'jti', 'scopesDigest']],
  ])
  const documented = rowsOf('3. Entries').map(([, event, fields]) => [
    quoted(event)[0],
    quoted(fields)
      .flatMap((field) => groups.get(field) ?? [field])
      .sort(),
  ])
  const actual = [...ENTRY_FIELDS].map(([event, fields]) => [event, [...fields].sort()])
  assert.deepEqual(documented, actual)
})

test('docs/formats/evidence.md has each finding with its weight and meaning, and no other', () => {
  const documented = rowsOf('7. Findings').map(([, code, ...cells]) => [
    quoted(code)[0],
    ...cells.slice(0, 2),
  ])
  const actual = Object.entries(FINDINGS).map(([code, { severity, meaning }]) => [code, severity, meaning])
  assert.deepEqual(documented, actual)
})
