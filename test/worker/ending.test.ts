import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CodedError, ERRORS, type ErrorCode } from '#core/errors.ts'
import type { RefusalBody } from '#core/release/request.ts'
import { type Move, moveFor } from '../../src/worker/ending.ts'

const refusal: RefusalBody = {
  type: 'urn:confidential-worker:error:permission.none',
  title: 'no permission covers this object',
  status: 403,
  code: 'permission.none',
  stage: 'grant',
  retryable: false,
  denialId: 'ab'.repeat(16),
}
const failed = (error: unknown, attempts = 1): Move =>
  moveFor({ kind: 'failed', error, releaseId: 'cd'.repeat(16), attempts, headerDigests: ['digest'] })

test('a result ends the job, whoever wrote it', () => {
  for (const kind of ['visible', 'superseded'] as const)
    assert.deepEqual(moveFor({ kind: 'published', published: { kind, resultId: 'id' } }), {
      kind: 'finish',
      as: kind,
      resultId: 'id',
    })
})

test('a refusal sets the job aside with its denial, and spends no attempt', () => {
  assert.deepEqual(moveFor({ kind: 'refused', refusal, headerDigests: ['digest'] }), {
    kind: 'set-aside',
    as: 'refused',
    code: 'permission.none',
    attempts: 0,
    denialId: refusal.denialId,
    headerDigests: ['digest'],
  })
})

describe('a failure moves the job by its code', () => {
  const MOVES = { retry: 'wait', reject: 'set-aside', stop: 'stop' } as const
  // The keys of ERRORS are the codes.
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const expected = code === 'internal.fault' ? 'put-back' : MOVES[ERRORS[code].disposition]
    test(`${code}: ${expected}`, () => {
      assert.equal(failed(new CodedError(code, 'x')).kind, expected)
    })
  }
})

test('a job that is set aside says how often it was tried', () => {
  const move = failed(new CodedError('job.exhausted', 'x'), 3)
  assert.deepEqual(move, {
    kind: 'set-aside',
    as: 'failed',
    code: 'job.exhausted',
    attempts: 3,
    denialId: null,
    headerDigests: ['digest'],
  })
})

test('an error without a code puts the job back', () => {
  assert.deepEqual(failed(new TypeError('x')), { kind: 'put-back', code: 'internal.fault' })
})

test('an error that stops the worker is passed on as it is', () => {
  const error = new CodedError('evidence.conflict', 'x')
  assert.deepEqual(failed(error), { kind: 'stop', error })
})
