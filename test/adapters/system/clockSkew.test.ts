/** The measure of this clock against others', from answers that state full seconds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { createClockSkew, publishClockSkew } from '#adapters/system/clockSkew.ts'
import { toUnixSeconds } from '#core/time.ts'

const NOW = 1_800_000_000

/** `clock.ahead` is how far this clock is ahead of the true time, which `pass` moves. */
function harness() {
  const clock = { true: NOW * 1000, ahead: 0, passed: 0 }
  const lines: string[] = []
  const say = (message: string, fields: object = {}) => {
    lines.push(`${message} ${JSON.stringify(fields)}`)
  }
  const skew = createClockSkew(
    {
      now: () => toUnixSeconds(Math.floor(clock.true / 1000 + clock.ahead)),
      monotonic: () => clock.passed,
    },
    { info: say, warn: say },
  )
  const pass = (ms: number) => {
    clock.true += ms
    clock.passed += ms
  }
  const exchange = (outMs = 0, backMs = 0, source: 'oci' | 'verifier' = 'oci', theirs = 0) => {
    const told = skew.asking(source)
    pass(outMs)
    const stated = Math.floor(clock.true / 1000) + theirs
    pass(backMs)
    told(stated)
  }
  return { clock, lines, skew, pass, exchange }
}

test('before an answer nothing is known, and a header without a date tells nothing', () => {
  const { skew } = harness()
  assert.equal(skew.seconds('oci'), undefined)
  skew.asking('oci')(Number.NaN)
  assert.equal(skew.seconds('oci'), undefined)
  assert.equal(skew.clause('oci'), '')
})

for (const ahead of [0, 29, 600, -600])
  test(`a clock that is ${ahead} seconds ahead is measured to the second`, () => {
    const { clock, skew, exchange } = harness()
    clock.ahead = ahead
    exchange(20, 30)
    assert.ok(Math.abs((skew.seconds('oci') ?? Number.NaN) - ahead) <= 1)
  })

test('a quick answer narrows what a slow one said, and no slow one widens it', () => {
  const { skew, pass, exchange } = harness()
  exchange(0, 40_000)
  assert.equal(skew.seconds('oci'), 20)
  pass(500)
  exchange(5, 5)
  assert.ok(Math.abs(skew.seconds('oci') ?? Number.NaN) <= 1)
  exchange(0, 40_000)
  assert.ok(Math.abs(skew.seconds('oci') ?? Number.NaN) <= 1)
})

test('a step of this clock shows at once, without another answer', () => {
  const { clock, skew, exchange } = harness()
  exchange()
  clock.ahead = -600
  assert.ok(Math.abs((skew.seconds('oci') ?? Number.NaN) + 600) <= 1)
})

test('a step of the other clock shows with its next answer', () => {
  const { skew, exchange } = harness()
  exchange()
  exchange(0, 0, 'oci', 90)
  assert.ok(Math.abs((skew.seconds('oci') ?? Number.NaN) + 90) <= 1)
})

test('the log says once that the clock differs, and once that it agrees again, for each source', () => {
  const { clock, lines, skew, pass, exchange } = harness()
  pass(500)
  for (const ahead of [0, 600, 600, 0, 0]) {
    clock.ahead = ahead
    exchange()
  }
  exchange(0, 0, 'verifier', 100)
  exchange(0, 0, 'verifier', 100)
  assert.deepEqual(lines, [
    'clock differs {"source":"oci","skewSeconds":600}',
    'clock agrees again {"source":"oci","skewSeconds":0}',
    'clock differs {"source":"verifier","skewSeconds":-100}',
  ])
  assert.equal(skew.clause('oci'), '')
  assert.equal(skew.clause('verifier'), "; this clock is 100 seconds behind the Verifier's")
})

test('the gauge has a series per source that has answered', async () => {
  const { clock, skew, pass, exchange } = harness()
  const registry = new Registry()
  publishClockSkew(registry, skew, ['oci', 'verifier'])
  pass(500)
  exchange()
  clock.ahead = 45
  const series = (await registry.metrics()).split('\n').filter((line) => line.startsWith('cw_'))
  assert.deepEqual(series, ['cw_clock_skew_seconds{source="oci"} 45'])
})
