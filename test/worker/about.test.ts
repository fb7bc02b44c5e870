import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CodedError, ERRORS, type ErrorCode, errorRow } from '#core/errors.ts'
import { knownCode, SUBJECTS, subjectOf } from '#core/release/about.ts'
import { RequestRefused } from '#core/release/refusal.ts'
import { isForNow, isUndecided } from '../../src/worker/about.ts'
import { boundOfRefusal } from '../../src/worker/returns.ts'

// The keys of ERRORS are the codes.
const CODES = Object.keys(ERRORS) as ErrorCode[]
const LISTED = Object.values(SUBJECTS).flat()

describe('each code of the release path is about one subject', () => {
  for (const code of CODES.filter((each) => errorRow(each).stage !== null))
    test(code, () => assert.equal(LISTED.filter((listed) => listed === code).length, 1))
  test('and no other code is listed', () =>
    assert.deepEqual(
      LISTED.filter((code) => errorRow(code).stage === null),
      [],
    ))
})

test('a code that nobody knows is about time', () => {
  assert.equal(subjectOf('future.code'), 'time')
  assert.equal(subjectOf('workload.failed'), 'time')
  for (const code of ['future.code', 'workload.failed', 'evidence.conflict', 'toString'])
    assert.equal(knownCode(code), 'refusal.unknown')
  for (const code of LISTED) assert.equal(knownCode(code), code)
})

test('the steps before the jobs judge the worker, except for the nonce and the policy', () => {
  for (const code of CODES)
    if (['binding', 'assertion', 'evidence', 'appraisal'].includes(errorRow(code).stage ?? ''))
      assert.equal(subjectOf(code), 'worker', code)
})

test('said of one job, only a code about its object sets it aside at once', () => {
  const readAgain: readonly ErrorCode[] = ['object.malformed', 'object.unsigned', 'object.unopened']
  for (const code of CODES) {
    const isFinal = subjectOf(code) === 'object' && !readAgain.includes(code)
    assert.equal(boundOfRefusal(code) === undefined, isFinal, code)
  }
})

test('said of a request, only a code about time lets the worker ask again at once', () => {
  const refused = (code: ErrorCode) => new RequestRefused({ code, denialId: 'ab'.repeat(16) })
  for (const code of LISTED) assert.equal(isForNow(refused(code)), subjectOf(code) === 'time', code)
  assert.equal(isForNow(new Error('nonce.spent')), false)
})

test('what no signature proves decides nothing, and waits', () => {
  for (const code of [
    'refusal.unsigned',
    'refusal.unknown',
    'verifier.untrusted',
    'grant.invalid',
  ] as const) {
    assert.ok(isUndecided(new CodedError(code, 'x')))
    assert.equal(errorRow(code).disposition, 'retry')
  }
  assert.equal(isUndecided(new CodedError('verifier.unavailable', 'x')), false)
  assert.equal(isUndecided(new Error('refusal.unsigned')), false)
})
