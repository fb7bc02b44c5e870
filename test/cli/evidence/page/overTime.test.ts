import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OverTime } from '#cli/evidence/page/overTime.ts'

const START = 1_800_000_000

test('a few seconds are seconds, and years are weeks', () => {
  for (const [last, span, count] of [
    [0, 'second', 1],
    [59, 'second', 60],
    [60, '10 seconds', 7],
    [3600, '5 minutes', 13],
    [86_400, 'hour', 25],
    [365 * 86_400, 'week', 53],
  ] as const) {
    const over = new OverTime()
    over.add(START, 'allowed')
    over.add(START + last, 'refused')
    const chart = over.chart()
    assert.deepEqual([chart?.span, chart?.buckets.length], [span, count], `${last} s`)
  }
})

test('times of all ages make no chart', () => {
  const over = new OverTime()
  assert.equal(over.chart(), undefined)
  over.add(0, 'allowed')
  over.add(253_402_300_799, 'allowed')
  assert.equal(over.chart(), undefined)
})

test('every release is in one column, in whatever order they come', () => {
  const time = fc.integer({ min: START, max: START + 400 * 86_400 })
  fc.assert(
    fc.property(fc.array(fc.tuple(time, fc.boolean()), { minLength: 1 }), (all) => {
      const over = new OverTime()
      for (const [at, refused] of all) over.add(at, refused ? 'refused' : 'allowed')
      const { buckets } = over.chart() ?? assert.fail()
      assert(buckets.length <= 60)
      const sum = (n: 0 | 1) => buckets.reduce((total, { values }) => total + values[n], 0)
      const refused = all.filter(([, isRefused]) => isRefused).length
      assert.deepEqual([sum(0), sum(1)], [all.length - refused, refused])
    }),
  )
})

test('a million different seconds stay few counts', () => {
  const over = new OverTime()
  for (let n = 0; n < 1_000_000; n++) over.add(START + n * 7, n % 10 === 0 ? 'refused' : 'allowed')
  const { span, buckets } = over.chart() ?? assert.fail()
  assert.equal(span, 'week')
  const total = buckets.reduce((sum, { values: [allowed, refused] }) => sum + allowed + refused, 0)
  assert.equal(total, 1_000_000)
})
