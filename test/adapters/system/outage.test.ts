import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogFields } from '#adapters/system/log.ts'
import { untilAvailable, untilServed, waits } from '#adapters/system/outage.ts'
import { CodedError, type ErrorCode } from '#core/errors.ts'
import { toUnixSeconds } from '#core/time.ts'

/** A clock that counts what it is asked to sleep, and wakes at once. */
function countingClock() {
  const slept: number[] = []
  const clock = {
    now: () => toUnixSeconds(0),
    monotonic: () => 0,
    sleep: async (ms: number, signal?: AbortSignal) => {
      signal?.throwIfAborted()
      slept.push(ms)
    },
  }
  return { clock, slept }
}

const log = { warn: () => {} }
const { signal } = new AbortController()
const failing = (code: ErrorCode) => () => Promise.reject(new CodedError(code, 'x'))

test('the waits double from half a second to ten seconds', () => {
  const pauses = waits()
  assert.deepEqual(
    Array.from({ length: 7 }, () => pauses.next().value),
    [500, 1000, 2000, 4000, 8000, 10_000, 10_000],
  )
})

test('a service that comes back is asked until it answers', async () => {
  const { clock, slept } = countingClock()
  let calls = 0
  const work = async () => {
    calls++
    if (calls < 4) throw new CodedError('service.unavailable', 'x')
    return calls
  }
  assert.equal(await untilAvailable(work, { clock, log }, signal), 4)
  assert.deepEqual(slept, [500, 1000, 2000])
})

for (const code of ['permission.none', 'evidence.conflict', 'lease.lost'] as const)
  test(`${code} is thrown at once`, async () => {
    const { clock, slept } = countingClock()
    await assert.rejects(untilAvailable(failing(code), { clock, log }, signal), { code })
    assert.deepEqual(slept, [])
  })

test('an aborted signal ends the waiting with its reason', async () => {
  const { clock } = countingClock()
  const controller = new AbortController()
  const reason = new Error('the lease is lost')
  const work = async () => {
    controller.abort(reason)
    throw new CodedError('service.unavailable', 'x')
  }
  await assert.rejects(untilAvailable(work, { clock, log }, controller.signal), reason)
})

test('a place of its own is waited for while OCI denies it, longer than while it is away', async () => {
  const { clock, slept } = countingClock()
  const answers: readonly ErrorCode[] = [
    ...Array<ErrorCode>(8).fill('service.denied'),
    'service.missing',
    'service.unavailable',
  ]
  const left = [...answers]
  const heard: (ErrorCode | undefined)[] = []
  const logged: LogFields[] = []
  const work = async () => {
    const code = left.shift()
    if (code !== undefined) throw new CodedError(code, 'x')
    return 'served'
  }
  const around = {
    clock,
    log: { warn: (_: string, fields: LogFields = {}) => void logged.push(fields) },
    waits: (_: string, code: ErrorCode | undefined) => void heard.push(code),
  }
  assert.equal(await untilServed('the bucket', work, around, signal), 'served')
  assert.deepEqual(slept, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 10_000])
  assert.deepEqual(heard, [...answers, undefined])
  assert.deepEqual(logged[0], { for: 'the bucket', code: 'service.denied', error: 'x', waitMs: 500 })
})

for (const code of ['config.invalid', 'boot.mismatch', 'internal.fault'] as const)
  test(`${code} about a place of its own is thrown at once`, async () => {
    const { clock, slept } = countingClock()
    const around = { clock, log, waits: () => assert.fail('does not wait') }
    await assert.rejects(untilServed('the key', failing(code), around, signal), { code })
    assert.deepEqual(slept, [])
  })
