import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPause } from '#adapters/http/retryAfter.ts'
import { steerableClock } from '../../verifier/steerableClock.ts'

/** How long a client pauses after these headers, one after the other. */
async function pauseAfter(...headers: readonly (string | undefined)[]): Promise<number> {
  const clock = steerableClock()
  const pause = createPause(clock)
  for (const header of headers) pause.ask(header)
  await pause.over(undefined)
  return clock.monotonic() / 1000
}

for (const { headers, seconds } of [
  { headers: [undefined], seconds: 0 },
  { headers: ['2'], seconds: 2 },
  { headers: ['5', '2'], seconds: 5 },
  { headers: ['86400'], seconds: 60 },
  { headers: ['-1'], seconds: 0 },
  { headers: ['1e9'], seconds: 0 },
  { headers: ['Fri, 31 Dec 2099 23:59:59 GMT'], seconds: 0 },
] as const)
  test(`Retry-After: ${headers.join(', then ')} is a pause of ${seconds} seconds`, async () => {
    assert.equal(await pauseAfter(...headers), seconds)
  })

test('a pause ends by itself, and at once with the signal', async () => {
  const clock = steerableClock()
  const pause = createPause(clock)
  pause.ask('3')
  clock.pass(3)
  await pause.over(undefined)
  assert.equal(clock.monotonic(), 3000)
  pause.ask('3')
  const reason = new Error('the worker stops')
  await assert.rejects(pause.over(AbortSignal.abort(reason)), reason)
})
