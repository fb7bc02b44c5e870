import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { abandonable } from '#adapters/system/abandonable.ts'

const reason = new Error('enough')
const fault = new Error('failed')
const never = new Promise<never>(() => {})

test('without a signal, and with one that is never aborted, the promise decides', async () => {
  for (const signal of [undefined, new AbortController().signal]) {
    assert.equal(await abandonable(Promise.resolve(1), signal), 1)
    await assert.rejects(abandonable(Promise.reject(fault), signal), fault)
  }
})

test('an abort ends the wait at once, with its reason', async () => {
  const controller = new AbortController()
  const waiting = abandonable(never, controller.signal)
  controller.abort(reason)
  await assert.rejects(waiting, reason)
})

test('an abort before the wait wins, even over a promise that is settled', async () => {
  const signal = AbortSignal.abort(reason)
  await assert.rejects(abandonable(never, signal), reason)
  await assert.rejects(abandonable(Promise.resolve(1), signal), reason)
})

test('work that fails after it was abandoned does not end the process', async () => {
  const work = Promise.withResolvers<never>()
  const waiting = abandonable(work.promise, AbortSignal.abort(reason))
  await assert.rejects(waiting, reason)
  work.reject(fault)
  await new Promise(setImmediate)
})

test('a wait that ended leaves no listener on the signal', async () => {
  const { signal } = new AbortController()
  await abandonable(Promise.resolve(1), signal)
  await assert.rejects(abandonable(Promise.reject(fault), signal), fault)
  assert.deepEqual(getEventListeners(signal, 'abort'), [])
})
