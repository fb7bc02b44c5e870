import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sha256, toHex, utf8 } from '#core/bytes.ts'
import { resultIdOf } from '#core/release/resultId.ts'

const question = {
  tenant: 'hospital',
  dataset: 'cohort',
  permission: 'heart-2027',
  edition: 1,
  headerDigests: ['B'.repeat(43), 'A'.repeat(43)],
}

test('the id is the digest of the question, in a form that others can compute', () => {
  const [a, b] = ['A', 'B'].map((letter) => letter.repeat(43))
  const canonical = `{"dataset":"cohort","edition":1,"headerDigests":["${a}","${b}"],"permission":"heart-2027","tenant":"hospital","v":1}`
  assert.equal(resultIdOf(question), toHex(sha256(utf8(canonical))))
})

test('the order of the objects is no other question', () => {
  assert.equal(
    resultIdOf({ ...question, headerDigests: question.headerDigests.toReversed() }),
    resultIdOf(question),
  )
})

for (const change of [
  { tenant: 'clinic' },
  { dataset: 'other' },
  { permission: 'heart-2028' },
  { edition: 2 },
  { headerDigests: ['A'.repeat(43)] },
])
  test(`another ${Object.keys(change)} is another question`, () =>
    assert.notEqual(resultIdOf({ ...question, ...change }), resultIdOf(question)))
