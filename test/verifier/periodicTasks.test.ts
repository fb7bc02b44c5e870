import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Log } from '#adapters/system/log.ts'
import { type PeriodicTask, runPeriodically, withinLimit } from '../../src/verifier/periodicTasks.ts'
import { unavailable } from '../adapters/evidence/stores.ts'
import { steerableClock } from './steerableClock.ts'

test('a task is repeated; the log says once that it fails and once that it works again', async () => {
  const lines: string[] = []
  const line = (message: string, fields = {}) => {
    lines.push([message, ...Object.values(fields)].join(' '))
  }
  const log: Log = { info: line, warn: line, error: line, child: () => log }
  const ending = new AbortController()
  const failures: unknown[] = []
  const clock = steerableClock()
  const times: number[] = []
  const task: PeriodicTask = {
    name: 'policy',
    seconds: 5,
    run: async () => {
      times.push(clock.monotonic())
      if (times.length === 2 || times.length === 3) throw unavailable()
      if (times.length === 5) ending.abort()
    },
  }
  await runPeriodically([task], {
    clock,
    log,
    signal: ending.signal,
    failed: (error) => failures.push(error),
  })
  assert.deepEqual(times, [5000, 10_000, 15_000, 20_000, 25_000])
  assert.deepEqual(lines, [
    'task fails policy service.unavailable the store does not answer',
    'task works again policy',
  ])
  assert.equal(failures.length, 2)
})

test('a task that runs at once waits from then on, even after a failure', async () => {
  const ending = new AbortController()
  const clock = steerableClock()
  const times: number[] = []
  const log: Log = { info: assert.fail, warn: () => {}, error: assert.fail, child: () => log }
  const run = async () => {
    times.push(clock.monotonic())
    if (times.length === 1) throw unavailable()
    if (times.length === 3) ending.abort()
  }
  await runPeriodically([{ name: 'lists', seconds: 5, atOnce: true, run }], {
    clock,
    log: { ...log, info: () => {} },
    signal: ending.signal,
    failed: () => {},
  })
  assert.deepEqual(times, [0, 5000, 10_000])
})

test('an error caused by the end is not a failure', async () => {
  const ending = new AbortController()
  const log: Log = { info: assert.fail, warn: assert.fail, error: assert.fail, child: () => log }
  const run = async (signal: AbortSignal) => {
    ending.abort()
    signal.throwIfAborted()
  }
  await runPeriodically([{ name: 'policy', seconds: 5, run }], {
    clock: steerableClock(),
    log,
    signal: ending.signal,
    failed: () => assert.fail(),
  })
})

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

test('a call that takes too long counts as a service that does not answer', async () => {
  const { signal } = new AbortController()
  await assert.rejects(withinLimit(1, signal, untilAborted), {
    code: 'service.unavailable',
    message: 'no answer within 0.001 seconds',
  })
})

test('a call that the end cuts short keeps the reason of the end', async () => {
  const ending = new AbortController()
  const call = withinLimit(60_000, ending.signal, untilAborted)
  ending.abort(new Error('SIGTERM'))
  await assert.rejects(call, /SIGTERM/)
})
