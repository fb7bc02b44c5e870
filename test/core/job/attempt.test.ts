import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Attempt,
  type AttemptEnd,
  asideName,
  claimName,
  claimNumberOf,
  claimText,
  endName,
  endText,
  historyOf,
  LONGEST_RETURN_SECONDS,
  MAX_ATTEMPTS,
  parseClaim,
  parseEnd,
  retryName,
  roundInForce,
} from '#core/job/attempt.ts'

const JOB = 'ab'.repeat(16)
const OTHER = 'a'.repeat(26)
const MINE = 'b'.repeat(26)
const attempt = (number: number, kind?: AttemptEnd, boot = OTHER, code: string | null = null): Attempt => ({
  number,
  claim: { boot, at: 1000 + number },
  end: kind === undefined ? undefined : { kind, code },
})

for (const { name, attempts, expected } of [
  {
    name: 'no attempt',
    attempts: [],
    expected: { next: 1, counted: 0, suspect: false, givenBack: [] },
  },
  {
    name: 'attempts that ended as again never count',
    attempts: [1, 2, 3, 4, 5].map((number) => attempt(number, 'again')),
    expected: { next: 6, counted: 0, suspect: false, givenBack: [] },
  },
  {
    name: 'an attempt without an end counts and makes the job a suspect',
    attempts: [attempt(1)],
    expected: { next: 2, counted: 1, suspect: true, givenBack: [] },
  },
  {
    name: 'a failed attempt counts and makes no suspect',
    attempts: [attempt(1, 'failed')],
    expected: { next: 2, counted: 1, suspect: false, givenBack: [] },
  },
  {
    name: 'an open attempt of this boot tells nothing',
    attempts: [attempt(1, undefined, MINE)],
    expected: { next: 2, counted: 0, suspect: false, givenBack: [] },
  },
  {
    name: 'all kinds together, in any order',
    attempts: [
      attempt(7),
      attempt(2, 'again', OTHER, 'permission.none'),
      attempt(4, 'failed'),
      attempt(5, 'done'),
    ],
    expected: {
      next: 8,
      counted: 2,
      suspect: true,
      givenBack: [{ boot: OTHER, at: 1002, code: 'permission.none' }],
    },
  },
])
  test(`${name}`, () => assert.deepEqual(historyOf(attempts, MINE), expected))

test('the name of a claim gives its number back', () => {
  assert.equal(claimNumberOf(JOB, 0, claimName(JOB, 0, 12)), 12)
})

for (const name of [
  endName(JOB, 0, 1),
  asideName(JOB, 0),
  claimName('cd'.repeat(16), 0, 1),
  claimName(JOB, 1, 1),
  `attempt/${JOB}/0/`,
  `attempt/${JOB}/0/1`,
  `attempt/${JOB}/0/0/claim`,
  `attempt/${JOB}/0/01/claim`,
  `attempt/${JOB}/0/1/claimed`,
])
  test(`${name} is not a claim of the job`, () => assert.equal(claimNumberOf(JOB, 0, name), undefined))

test('claims and ends come back from their texts', () => {
  const claim = { boot: MINE, at: 1_790_000_000 }
  assert.deepEqual(parseClaim(claimText(claim, 'ab'.repeat(16))), claim)
  for (const end of [
    { kind: 'again', code: null },
    { kind: 'again', code: 'permission.none' },
    { kind: 'failed', code: 'internal.fault' },
    { kind: 'done', code: null },
  ] as const)
    assert.deepEqual(parseEnd(endText(end)), end)
})

test('texts of another form are a claim of no boot, and no end', () => {
  for (const text of ['', 'x', `${MINE}/`, `${MINE}/-1/x`, `../${MINE}/1/x`])
    assert.deepEqual(parseClaim(text), { boot: '', at: 0 })
  for (const text of ['', 'over', 'Again']) assert.equal(parseEnd(text), undefined)
})

for (const { retries, round } of [
  { retries: [], round: 0 },
  { retries: [1], round: 1 },
  { retries: [3, 1, 2], round: 3 },
  { retries: [2], round: 0 },
  { retries: [1, 3], round: 1 },
  { retries: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], round: 9 },
])
  test(`with retries ${retries.join() || 'none'}, round ${round} is in force`, () => {
    const names = new Set(retries.map((retry) => retryName(JOB, retry)))
    assert.equal(roundInForce(JOB, names), round)
    assert.equal(roundInForce('cd'.repeat(16), names), 0)
  })

test('three attempts set a job aside, and no return is more than ten minutes ahead', () => {
  assert.equal(MAX_ATTEMPTS, 3)
  assert.equal(LONGEST_RETURN_SECONDS, 600)
})

test('the time of a claim has 1 to 12 digits', () => {
  for (const digits of ['1', '9'.repeat(12)])
    assert.deepEqual(parseClaim(`${MINE}/${digits}/nonce`), { boot: MINE, at: Number(digits) })
  for (const digits of ['', '9'.repeat(13)])
    assert.deepEqual(parseClaim(`${MINE}/${digits}/nonce`), { boot: '', at: 0 })
})

test('the number of a claim has 1 to 9 digits', () => {
  for (const number of [1, 999_999_999])
    assert.equal(claimNumberOf(JOB, 0, claimName(JOB, 0, number)), number)
  assert.equal(claimNumberOf(JOB, 0, claimName(JOB, 0, 1_000_000_000)), undefined)
})
