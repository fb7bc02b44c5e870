import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ERROR_SECTIONS, ERRORS } from '#core/errors.ts'
import { policyJsonSchema } from '#core/policy/policy.ts'
import { errorsPage } from '../../docs/generate.ts'
import { readDocument, tableRows } from './document.ts'

test('docs/errors.md is what "npm run docs" writes', async () => {
  const page = await readDocument('docs/errors.md')
  assert.equal(errorsPage(page), page)
})

test('docs/formats/policy.schema.json is what "npm run docs" writes', async () => {
  assert.equal(await readDocument('docs/formats/policy.schema.json'), policyJsonSchema())
})

test('docs/errors.md has one row per code, with all that the table says', async () => {
  const rows = tableRows(await readDocument('docs/errors.md')).filter(([code = '']) => code.startsWith('`'))
  assert.deepEqual(
    rows.map((cells) => cells.slice(0, 6)),
    Object.entries(ERRORS).map(([code, { meaning, stage, disposition, http, exit }]) => [
      `\`${code}\``,
      meaning,
      stage ?? '–',
      disposition,
      String(http),
      String(exit),
    ]),
  )
  for (const [code, , , , , , remedy = ''] of rows)
    assert.match(remedy, /^[A-Z].*[^.]\.$/, `${code} does not say what to do`)
})

test('the sections are the table', () => {
  assert.deepEqual(
    ERROR_SECTIONS.flatMap(({ rows }) => Object.entries(rows)),
    Object.entries(ERRORS),
  )
})

test('a code is two words of the field, in lower case', () => {
  for (const code of Object.keys(ERRORS)) assert.match(code, /^[a-z]+(?:-[a-z]+)*\.[a-z]+(?:-[a-z]+)*$/)
})
