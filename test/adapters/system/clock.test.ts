import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '#adapters/system/clock.ts'

// The port's contract: test/contract/clock.ts.
test('now is the system time', () => {
  const before = Math.floor(Date.now() / 1000)
  const now = systemClock.now()
  assert.ok(now >= before && now <= Date.now() / 1000)
})
