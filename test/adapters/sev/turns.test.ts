import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SevFault } from '#adapters/sev/fault.ts'
import { createTurns } from '#adapters/sev/turns.ts'
import { virtualClock } from '../../clock.ts'

test('requests never come closer than a host allows: at most 9 in any 10.2 s', async () => {
  const clock = virtualClock()
  const { take } = createTurns(clock)
  const sent: number[] = []
  const request = async () => {
    sent.push(clock.monotonic())
  }
  await Promise.all(Array.from({ length: 60 }, () => take(request, undefined)))
  // After a pause the bucket is full, and not more than full.
  await clock.sleep(3_600_000)
  await Promise.all(Array.from({ length: 60 }, () => take(request, undefined)))
  for (const start of sent)
    assert.ok(sent.filter((at) => at >= start && at - start <= 10_200).length <= 9, `from ${start}`)
  // No slower than needed: 60 requests take 58 pauses.
  assert.equal(sent[59], 58 * 1300)
})

test('two may be sent at once, a third waits', async () => {
  const clock = virtualClock()
  const { take } = createTurns(clock)
  for (let count = 0; count < 3; count++) await take(async () => undefined, undefined)
  assert.deepEqual(clock.slept, [1300])
})

test('one request is in flight at a time', async () => {
  const { take } = createTurns(virtualClock())
  let open = 0
  let most = 0
  const request = async () => {
    open += 1
    most = Math.max(most, open)
    await new Promise(setImmediate)
    open -= 1
  }
  await Promise.all(Array.from({ length: 5 }, () => take(request, undefined)))
  assert.equal(most, 1)
})

test('after a final fault nothing is sent and no call waits; other faults pass', async () => {
  const clock = virtualClock()
  const turns = createTurns(clock)
  const fail = (fault: Error) => () => Promise.reject(fault)
  const busy = new SevFault('sev.busy', 'busy')
  const lost = new SevFault('sev.lost', 'gone', { errno: 25 })
  await assert.rejects(turns.take(fail(busy), undefined), busy)
  assert.equal(turns.lost(), undefined)
  await assert.rejects(turns.take(fail(lost), undefined), lost)
  assert.equal(turns.lost(), lost)
  for (let count = 0; count < 5; count++)
    await assert.rejects(
      turns.take(() => assert.fail('it was sent'), undefined),
      lost,
    )
  assert.deepEqual(clock.slept, [])
})

test('an abort before its turn rejects at once, and nothing is sent', async () => {
  const { take } = createTurns(virtualClock())
  const controller = new AbortController()
  const reason = new Error('drained')
  let finish = () => {}
  const first = take(
    () =>
      new Promise<void>((resolve) => {
        finish = resolve
      }),
    undefined,
  )
  const second = take(() => assert.fail('it was sent'), controller.signal)
  controller.abort(reason)
  await assert.rejects(second, reason)
  finish()
  await first
  await take(async () => undefined, undefined)
})

test('an abort of a sent request rejects at once; the next request waits for its end', async () => {
  const { take } = createTurns(virtualClock())
  const controller = new AbortController()
  const reason = new Error('drained')
  const order: string[] = []
  let finish = () => {}
  const sent = new Promise<void>((started) => {
    const first = take(async () => {
      started()
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      order.push('first ended')
    }, controller.signal)
    first.catch(() => order.push('first answered'))
  })
  await sent
  controller.abort(reason)
  const second = take(async () => {
    order.push('second sent')
  }, undefined)
  await new Promise(setImmediate)
  finish()
  await second
  assert.deepEqual(order, ['first answered', 'first ended', 'second sent'])
})
