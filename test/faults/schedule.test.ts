import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scheduleOf } from './schedule.ts'

test('a seed gives the same objects and the same acts at the same times', () => {
  const told = (seed: number) => JSON.stringify(scheduleOf(seed))
  for (const seed of [0, 1, 2 ** 32 - 1]) assert.equal(told(seed), told(seed))
  assert.notEqual(told(1), told(2))
})

test('no schedule cuts workers off from their attempts so often that a good job may be set aside', () => {
  for (let seed = 0; seed < 500; seed += 1) {
    const { objects, acts } = scheduleOf(seed)
    const cuts = acts.filter(({ cutsOff }) => cutsOff).length
    assert.ok(cuts + objects.filter(({ kills }) => kills).length <= 2, `seed ${seed}`)
  }
})
