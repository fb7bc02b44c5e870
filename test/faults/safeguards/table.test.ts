/** Each row of the table still fits its source: the runs themselves are `npm run faults -- --safeguards all`. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { SAFEGUARDS } from './table.ts'

for (const { name, file, text, replacement } of SAFEGUARDS)
  test(`${name} can be switched off in ${file}`, async () => {
    const code = await readFile(new URL(`../../../${file}`, import.meta.url), 'utf8')
    assert.equal(code.split(text).length, 2)
    assert.notEqual(text, replacement)
  })
