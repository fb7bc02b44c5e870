import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CodedError, ERRORS, type ErrorCode } from '#core/errors.ts'
import type { Denial } from '#core/release/refusal.ts'
import { type Move, moveFor } from '../../src/worker/ending.ts'
import { PlaceRefused } from '../../src/worker/places.ts'
import { boundOfFailure, type Standing } from '../../src/worker/returns.ts'

const denial: Denial = { code: 'object.withdrawn', denialId: 'ab'.repeat(16) }
const BOOT = 'b'.repeat(26)
const FRESH: Standing = { history: { givenBack: [] }, boot: BOOT, now: 1_000_000 }
const failed = (error: unknown, { attempts = 1, late = false, standing = FRESH } = {}): Move =>
  moveFor(
    {
      kind: 'failed',
      error,
      releaseId: 'cd'.repeat(16),
      attempts,
      headerDigests: ['digest'],
      standing,
    },
    late,
  )

test('a result ends the job, whoever wrote it', () => {
  for (const kind of ['visible', 'superseded'] as const)
    assert.deepEqual(moveFor({ kind: 'published', published: { kind, resultId: 'id' } }, false), {
      kind: 'finish',
      as: kind,
      resultId: 'id',
    })
})

test('a refusal sets the job aside with its denial, and spends no attempt', () => {
  assert.deepEqual(moveFor({ kind: 'refused', denial, headerDigests: ['digest'], standing: FRESH }, false), {
    kind: 'set-aside',
    as: 'refused',
    code: 'object.withdrawn',
    attempts: 0,
    denialId: denial.denialId,
    headerDigests: ['digest'],
  })
})

describe('a failure moves the job by its code', () => {
  const MOVES = { retry: 'ask-again', reject: 'set-aside', stop: 'give-back' } as const
  // The keys of ERRORS are the codes.
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const { disposition } = ERRORS[code]
    const returns = disposition !== 'retry' && boundOfFailure(code) !== undefined
    const expected = code === 'internal.fault' ? 'try-again' : returns ? 'put-back' : MOVES[disposition]
    const later = expected === 'ask-again' ? 'put-back' : expected
    test(`${code}: ${expected}, and ${later} when the batch has lasted long enough`, () => {
      assert.equal(failed(new CodedError(code, 'x')).kind, expected)
      assert.equal(failed(new CodedError(code, 'x'), { late: true }).kind, later)
    })
  }
})

test('an object whose bytes may have been altered on their way is read once more, then set aside', () => {
  for (const code of ['object.malformed', 'object.unsigned', 'object.unopened'] as const) {
    const givenBack = [{ boot: BOOT, at: FRESH.now - 10, code }]
    for (const moveOf of [
      (standing: Standing) => failed(new CodedError(code, 'x'), { standing }),
      (standing: Standing) =>
        moveFor({ kind: 'refused', denial: { ...denial, code }, headerDigests: [], standing }, false),
    ]) {
      assert.equal(moveOf(FRESH).kind, 'put-back')
      const second = moveOf({ ...FRESH, history: { givenBack } })
      assert.equal(second.kind === 'set-aside' && second.code, code)
    }
  }
})

test('what a service has failed for seven days is set aside', () => {
  const code = 'service.unavailable'
  const at = FRESH.now - 7 * 86_400
  const standing = { ...FRESH, history: { givenBack: [{ boot: BOOT, at, code }] } }
  const move = failed(new CodedError(code, 'x'), { late: true, standing })
  assert.equal(move.kind === 'set-aside' && move.code, 'job.expired')
})

test('a refusal of a place of its own stops the worker, and says nothing of the job', () => {
  for (const code of ['service.missing', 'service.denied'] as const) {
    const refusal = new PlaceRefused('results', new CodedError(code, 'x'))
    assert.deepEqual(failed(refusal), { kind: 'give-back', error: refusal })
    const wrapped = new CodedError('evidence.unavailable', 'x', { cause: refusal })
    assert.deepEqual(failed(wrapped), { kind: 'give-back', error: refusal })
  }
})

test('a job that is set aside says how often it was tried', () => {
  const move = failed(new CodedError('job.exhausted', 'x'), { attempts: 3 })
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
  assert.deepEqual(failed(new TypeError('x')), {
    kind: 'try-again',
    code: 'internal.fault',
    seconds: 10,
  })
})

test('an error that stops the worker is passed on as it is', () => {
  const error = new CodedError('evidence.conflict', 'x')
  assert.deepEqual(failed(error), { kind: 'give-back', error })
})

describe('a refusal that another worker or a later time may change puts the job back', () => {
  const DAY = 86_400
  const MINUTE = 60
  const refusedAs = (code: ErrorCode, standing: Standing): Move =>
    moveFor({ kind: 'refused', denial: { ...denial, code }, headerDigests: [], standing }, false)
  const since = (seconds: number, code: ErrorCode): Standing => ({
    ...FRESH,
    history: { givenBack: [{ boot: BOOT, at: FRESH.now - seconds, code }] },
  })
  const asked = (code: ErrorCode, boots: number): Standing => ({
    ...FRESH,
    history: {
      givenBack: Array.from({ length: boots }, (_, index) => ({
        boot: `boot-${index}`,
        at: FRESH.now,
        code,
      })),
    },
  })
  const failedWith =
    (code: ErrorCode) =>
    (standing: Standing): Move =>
      moveFor(
        {
          kind: 'failed',
          error: new CodedError(code, 'x'),
          releaseId: null,
          attempts: 0,
          headerDigests: [],
          standing,
        },
        false,
      )
  const absent = failedWith('service.missing')
  const unregistered = failedWith('signer.unregistered')

  for (const { name, move, expected } of [
    {
      name: 'no permission, by the first worker',
      move: refusedAs('permission.none', FRESH),
      expected: 'put-back',
    },
    {
      name: 'no permission, by four workers',
      move: refusedAs('permission.none', asked('permission.none', 3)),
      expected: 'put-back',
    },
    {
      name: 'no permission, by five workers',
      move: refusedAs('permission.none', asked('permission.none', 4)),
      expected: 'permission.none',
    },
    {
      name: 'no permission, after five workers gave it back for another reason',
      move: refusedAs('permission.none', asked('service.missing', 5)),
      expected: 'put-back',
    },
    {
      name: 'no permission, for a day',
      move: refusedAs('permission.none', since(DAY, 'permission.none')),
      expected: 'permission.none',
    },
    {
      name: 'an expired permission, by five workers for six days',
      move: refusedAs('permission.expired', since(6 * DAY, 'permission.expired')),
      expected: 'put-back',
    },
    {
      name: 'an expired permission, for seven days',
      move: refusedAs('permission.expired', since(7 * DAY, 'permission.expired')),
      expected: 'job.expired',
    },
    {
      name: 'an absent object, for nine minutes',
      move: absent(since(9 * MINUTE, 'service.missing')),
      expected: 'put-back',
    },
    {
      name: 'an absent object, once, of a job that waited a day for its permission',
      move: absent(since(DAY, 'permission.expired')),
      expected: 'put-back',
    },
    {
      name: 'an absent object, for ten minutes',
      move: absent(since(10 * MINUTE, 'service.missing')),
      expected: 'service.missing',
    },
    {
      name: 'a result whose signer is not registered, for nine minutes',
      move: unregistered(since(9 * MINUTE, 'signer.unregistered')),
      expected: 'put-back',
    },
    {
      name: 'a result whose signer is not registered, for ten minutes',
      move: unregistered(since(10 * MINUTE, 'signer.unregistered')),
      expected: 'result.foreign',
    },
  ])
    test(`${name}: ${expected}`, () => {
      assert.equal(move.kind === 'set-aside' ? move.code : move.kind, expected)
    })

  test('each return waits twice as long, at most ten minutes', () => {
    const seconds = [0, 1, 2, 5, 6, 7, 100].map((boots) => {
      const move = refusedAs('permission.expired', asked('permission.expired', boots))
      return move.kind === 'put-back' ? move.seconds : undefined
    })
    assert.deepEqual(seconds, [10, 20, 40, 320, 600, 600, 600])
  })
})
