import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toUnixSeconds } from '#core/time.ts'
import { VerifierTime } from '../../src/worker/verifierTime.ts'

test('time is the Verifier’s latest, and what has passed since; it never goes back', () => {
  let passed = 5000
  const time = new VerifierTime(() => passed)
  time.observe(toUnixSeconds(1_800_000_000))
  passed += 2500
  assert.equal(time.now(), 1_800_000_002)
  time.observe(toUnixSeconds(1_799_999_000))
  assert.equal(time.now(), 1_800_000_002)
  time.observe(toUnixSeconds(1_800_000_100))
  assert.equal(time.now(), 1_800_000_100)
})
