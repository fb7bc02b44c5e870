import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ENTRY_FIELDS } from '#core/evidence/entry.ts'
import { LIFE, type Row } from '#core/job/life.ts'
import { readDocument, tableRows } from './document.ts'

const rows: readonly (readonly [string, Row])[] = Object.entries(LIFE)
const page = await readDocument('docs/formats/job.md')
const [, after = ''] = page.split('## 3. The life of a job')
const [section = ''] = after.split('## 4.')

// As text: the sets of names are of the closed types of two folders, which know nothing of each other.
const events: ReadonlySet<string> = new Set(ENTRY_FIELDS.keys())
const cellOf = (write: string) => {
  const [first = '', ...rest] = write.split(', ')
  const entry = events.has(first) ? [`\`${first}\``, ...rest].join(', ') : write
  return entry.replace(/^end (\w+)$/, 'end `$1`')
}

test('docs/formats/job.md has every move of a job', () => {
  const moves = rows.map(([name, { by, from, to, writes, unlessResult }]) => [
    unlessResult === true ? `**\`${name}\`**` : `\`${name}\``,
    by,
    from.join(', '),
    to,
    writes.map(cellOf).join(', '),
  ])
  assert.deepEqual(tableRows(section), [['move', 'by', 'from', 'to', 'writes'], ...moves])
})

test('every dotted name that a move writes is an event of the evidence', () => {
  const names = rows.flatMap(([, { writes }]) => writes.map((write) => write.split(',')[0] ?? ''))
  for (const name of names) if (name.includes('.')) assert.ok(events.has(name), name)
})
