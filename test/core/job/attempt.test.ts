import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Attempt, claimName, claimNumberOf, endName, historyOf } from '#core/job/attempt.ts'

const JOB = 'ab'.repeat(16)
const attempt = (number: number, end?: Attempt['end'], boot = 'other'): Attempt => ({ number, boot, end })

for (const { name, attempts, expected } of [
  { name: 'no attempt', attempts: [], expected: { next: 1, counted: 0, suspect: false } },
  {
    name: 'attempts that ended as again never count',
    attempts: [1, 2, 3, 4, 5].map((number) => attempt(number, 'again')),
    expected: { next: 6, counted: 0, suspect: false },
  },
  {
    name: 'an attempt without an end counts and makes the job a suspect',
    attempts: [attempt(1)],
    expected: { next: 2, counted: 1, suspect: true },
  },
  {
    name: 'a failed attempt counts and makes no suspect',
    attempts: [attempt(1, 'failed')],
    expected: { next: 2, counted: 1, suspect: false },
  },
  {
    name: 'an open attempt of this boot tells nothing',
    attempts: [attempt(1, undefined, 'mine')],
    expected: { next: 2, counted: 0, suspect: false },
  },
  {
    name: 'all kinds together, in any order',
    attempts: [attempt(7), attempt(2, 'again'), attempt(4, 'failed'), attempt(5, 'done')],
    expected: { next: 8, counted: 2, suspect: true },
  },
])
  test(`${name}`, () => assert.deepEqual(historyOf(attempts, 'mine'), expected))

test('the name of a claim gives its number back', () => {
  assert.equal(claimNumberOf(JOB, claimName(JOB, 12)), 12)
})

for (const name of [
  endName(JOB, 1),
  claimName('cd'.repeat(16), 1),
  `attempt/${JOB}/`,
  `attempt/${JOB}/1`,
  `attempt/${JOB}/0/claim`,
  `attempt/${JOB}/01/claim`,
  `attempt/${JOB}/1/claimed`,
])
  test(`${name} is not a claim of the job`, () => assert.equal(claimNumberOf(JOB, name), undefined))
