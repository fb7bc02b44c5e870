import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ERRORS } from '#core/errors.ts'
import { readDocument, tableRows } from './document.ts'

test('docs/errors.md has a row for each code, in the same order, and says the same', async () => {
  const rows = tableRows(await readDocument('docs/errors.md')).filter(([code = '']) => code.startsWith('`'))
  assert.deepEqual(
    rows.map(([code]) => code),
    Object.keys(ERRORS).map((code) => `\`${code}\``),
  )
  for (const [index, [code, { meaning, disposition, http, exit }]] of Object.entries(ERRORS).entries())
    assert.deepEqual(
      rows[index]?.slice(1, 5),
      [meaning, disposition, String(http), String(exit)],
      `${code} says something else`,
    )
  for (const [code, , , , , remedy = ''] of rows)
    assert.match(remedy, /^[A-Z].*\.$/, `${code} does not say what to do`)
})

test('a code is two words of the field, in lower case', () => {
  for (const code of Object.keys(ERRORS)) assert.match(code, /^[a-z]+(?:-[a-z]+)*\.[a-z]+(?:-[a-z]+)*$/)
})
