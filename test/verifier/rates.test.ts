import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRates } from '../../src/verifier/rates.ts'

test('a name has its burst, then as many tokens as seconds bring, never more than its burst', () => {
  let seconds = 0
  const rates = createRates({ perSecond: 2, burst: 3 }, () => seconds * 1000)
  const taken = () => {
    let count = 0
    while (rates.take('a')) count += 1
    return count
  }
  assert.equal(taken(), 3)
  assert.equal(rates.has('a'), false)
  assert.equal(rates.take('b'), true)
  seconds = 0.4
  assert.equal(taken(), 0)
  seconds = 0.5
  assert.equal(rates.has('a'), true)
  assert.equal(taken(), 1)
  seconds = 1.5
  assert.equal(taken(), 2)
  seconds = 3600
  assert.equal(taken(), 3)
})

test('a name that has fewer tokens than wanted keeps them', () => {
  const rates = createRates({ perSecond: 1, burst: 10 }, () => 0)
  assert.equal(rates.take('a', 8), true)
  assert.equal(rates.take('a', 3), false)
  assert.equal(rates.take('a', 2), true)
  assert.equal(rates.take('a'), false)
})

test('names beyond the limit displace the first, so the memory is bounded', () => {
  const rates = createRates({ perSecond: 1, burst: 1 }, () => 0)
  for (let name = 0; name < 4096; name += 1) assert.ok(rates.take(`name ${name}`))
  assert.equal(rates.has('name 0'), false)
  assert.ok(rates.take('one more'))
  assert.equal(rates.has('name 0'), true)
  assert.equal(rates.has('name 1'), false)
})
