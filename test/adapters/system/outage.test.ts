import assert from 'node:assert/strict'
import { test } from 'node:test'
import { untilAvailable, waits } from '#adapters/system/outage.ts'
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

test('an aborted signal ends the waiting', async () => {
  const { clock } = countingClock()
  const controller = new AbortController()
  const work = async () => {
    controller.abort(new Error('the lease is lost'))
    throw new CodedError('service.unavailable', 'x')
  }
  await assert.rejects(untilAvailable(work, { clock, log }, controller.signal), {
    code: 'service.unavailable',
  })
})
