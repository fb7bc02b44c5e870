import assert from 'node:assert/strict'
import { test } from 'node:test'
import { oneOf } from '#core/appraisal/reference.ts'

for (const [values, text] of [
  [['a'], 'a'],
  [['a', 'b'], 'a or b'],
  [['a', 'b', 'c'], 'a or b or 1 more'],
  [['a', 'b', 'c', 'd'], 'a or b or 2 more'],
] as const)
  test(`${values.length} values read "${text}"`, () => {
    assert.equal(oneOf(values), text)
  })
