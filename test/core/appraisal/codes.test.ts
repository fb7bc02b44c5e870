/**
 * The codes that the rules write down are the appraisal section of the table, and the wire calls them
 * appraisal.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { APPRAISAL_ERRORS } from '#core/errors/report.ts'
import { isErrorCode } from '#core/errors.ts'
import { problemOf } from '#core/release/refusal.ts'

const folder = new URL('../../../src/core/appraisal/', import.meta.url)
const sources = readdirSync(folder).filter((name) => /Rules\.ts$|^appraise\.ts$/.test(name))

const written = sources
  .flatMap((name) => [
    ...readFileSync(new URL(name, folder), 'utf8').matchAll(/'([a-z]+(?:-[a-z]+)*\.[a-z-]+)'/g),
  ])
  .map(([, code = '']) => code)
  .filter(isErrorCode)

test('the rules give the codes of their section, and no others', () => {
  assert.ok(sources.length > 5)
  assert.deepEqual([...new Set(written)].sort(), Object.keys(APPRAISAL_ERRORS).sort())
})

for (const code of new Set(written))
  test(`${code} goes out as stage appraisal`, () => {
    assert.equal(problemOf(code, '00'.repeat(16)).stage, 'appraisal')
  })
