import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EntryFormat } from '#core/evidence/entry.ts'
import { addSeconds, toUnixSeconds } from '#core/time.ts'
import { createRefusalCounts } from '../../src/verifier/refusalCounts.ts'
import { NOW } from '../core/release/releaseWorld.ts'

const minute = toUnixSeconds(NOW - (NOW % 60))
const at = (seconds: number) => addSeconds(minute, seconds)

test('one entry per code, caller and minute, returned once after the minute', () => {
  const counts = createRefusalCounts()
  for (const second of [0, 1, 59]) counts.count('nonce.expired', '192.0.2.1', at(second))
  counts.count('nonce.expired', '192.0.2.2', at(2))
  counts.count('chain.missing', '192.0.2.1', at(3))
  counts.count('nonce.expired', '192.0.2.1', at(60))
  assert.deepEqual(counts.take(at(59)), [])
  const taken = counts.take(at(60))
  assert.deepEqual(
    taken.map(({ code, minute: of, count }) => [code, of, count]),
    [
      ['nonce.expired', minute, 3],
      ['nonce.expired', minute, 1],
      ['chain.missing', minute, 1],
    ],
  )
  const [first, second, third] = taken
  assert.notEqual(first?.caller, second?.caller)
  assert.equal(first?.caller, third?.caller)
  for (const entry of taken) assert.ok(EntryFormat.encode({ ...entry, v: 1, time: NOW }))
  assert.deepEqual(counts.take(at(61)), [])
  assert.deepEqual(
    counts.take(at(61), true).map(({ count }) => count),
    [1],
  )
})

test('callers can be told apart only within one process', () => {
  const callerOf = () => {
    const counts = createRefusalCounts()
    counts.count('nonce.expired', '192.0.2.1', at(0))
    return counts.take(at(0), true)[0]?.caller
  }
  assert.notEqual(callerOf(), callerOf())
})

test('a flood of callers ends in one entry per code', () => {
  const counts = createRefusalCounts()
  for (let caller = 0; caller < 1000; caller += 1) counts.count('nonce.expired', `10.0.0.${caller}`, at(0))
  const taken = counts.take(at(60))
  assert.equal(taken.length, 257)
  assert.equal(
    taken.reduce((sum, { count }) => sum + count, 0),
    1000,
  )
  assert.equal(taken.at(-1)?.count, 744)
})
