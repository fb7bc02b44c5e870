/** The contract of the Clock port. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CodedError } from '#core/errors.ts'
import type { Clock } from '#ports/clock.ts'

/** `passes`: by itself, so that a sleep can be cut short, or only by being slept through. */
export function testClock(name: string, clock: Clock, passes: 'by itself' | 'by sleeping'): void {
  const reason = new CodedError('lease.lost', 'the partition is gone')

  test(`${name}: now is a whole number of seconds that follows the sleeps`, async () => {
    const before = clock.now()
    assert.ok(Number.isSafeInteger(before) && before >= 0)
    await clock.sleep(1100)
    assert.ok(clock.now() > before)
  })

  test(`${name}: monotonic never goes back, and a sleep lasts as long as it says`, async () => {
    for (const milliseconds of [0, 1, 20]) {
      const before = clock.monotonic()
      await clock.sleep(milliseconds)
      // Timers round to a millisecond.
      assert.ok(clock.monotonic() - before >= milliseconds - 1, `${milliseconds} ms`)
    }
    let last = clock.monotonic()
    for (let reads = 0; reads < 1000; reads++) {
      const next = clock.monotonic()
      assert.ok(next >= last)
      last = next
    }
  })

  test(`${name}: a signal that is never aborted does not change a sleep`, async () => {
    const before = clock.monotonic()
    await clock.sleep(5, new AbortController().signal)
    assert.ok(clock.monotonic() - before >= 4)
  })

  test(`${name}: an abort before a sleep rejects with the reason itself, and no time passes`, async () => {
    const before = clock.monotonic()
    await assert.rejects(clock.sleep(3_600_000, AbortSignal.abort(reason)), (error) => error === reason)
    assert.ok(clock.monotonic() - before < 60_000)
  })

  test(`${name}: an abort after a sleep changes nothing`, async () => {
    const controller = new AbortController()
    await clock.sleep(1, controller.signal)
    controller.abort(reason)
    await clock.sleep(1)
  })

  if (passes === 'by itself') {
    test(`${name}: an abort during a sleep rejects at once with the reason itself`, async () => {
      const controller = new AbortController()
      const before = clock.monotonic()
      const sleep = clock.sleep(3_600_000, controller.signal)
      await clock.sleep(1)
      controller.abort(reason)
      await assert.rejects(sleep, (error) => error === reason)
      assert.ok(clock.monotonic() - before < 60_000)
    })

    test(`${name}: sleeps overlap, and an abort ends only its own`, async () => {
      const controller = new AbortController()
      const ended: string[] = []
      const sleeps = [
        clock.sleep(20).then(() => ended.push('long')),
        clock.sleep(1).then(() => ended.push('short')),
        clock.sleep(10, controller.signal).catch(() => ended.push('aborted')),
      ]
      controller.abort(reason)
      await Promise.all(sleeps)
      assert.deepEqual(ended, ['aborted', 'short', 'long'])
    })
  }
}
