import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '#adapters/system/clock.ts'
import { CodedError } from '#core/errors.ts'

test('now is the system time in whole seconds', () => {
  const before = Math.floor(Date.now() / 1000)
  const now = systemClock.now()
  assert.ok(Number.isInteger(now) && now >= before && now <= Date.now() / 1000)
})

test('monotonic time does not go back, and a sleep is as long as it says', async () => {
  const before = systemClock.monotonic()
  await systemClock.sleep(2)
  assert.ok(systemClock.monotonic() - before >= 1)
})

for (const [when, abort] of [
  ['before', true],
  ['during', false],
] as const)
  test(`a sleep that is aborted ${when} its time ends at once, with the signal's reason`, async () => {
    const controller = new AbortController()
    const reason = new CodedError('lease.lost', 'the partition is gone')
    if (abort) controller.abort(reason)
    const sleep = systemClock.sleep(3_600_000, controller.signal)
    controller.abort(reason)
    await assert.rejects(sleep, (error) => error === reason)
  })
