/**
 * OCI refuses a bucket, a stream or the key of the worker's own: the worker stays up, not ready, and says
 * which. No job is set aside or charged for it, and all of them have results when the refusal ends.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { jobIdOf } from '#core/job/job.ts'
import { messageOf } from '#lab/demo/logLine.ts'
import { KEYS, STREAMS } from '#lab/demo/names.ts'
import { deadLetters } from './streamMessages.ts'
import {
  audit,
  principalOf,
  resultsOf,
  type SystemUnderTest,
  startSystem,
  until,
  waitForLine,
} from './systemUnderTest.ts'

const WORKER = 'worker-1'

let system: SystemUnderTest
before(async () => {
  system = await startSystem({ workers: 1, reservationMs: 2000 })
})
after(() => system?.close())
afterEach(() => system?.deployment.control.clearFaults())

for (const { place, code, fault } of [
  {
    place: 'results',
    code: 'service.missing',
    fault: {
      service: 'objectstorage',
      match: { method: 'PUT', path: '/b/results/' },
      status: 404,
      forMs: 60_000,
    },
  },
  {
    place: 'state',
    code: 'service.missing',
    fault: {
      service: 'objectstorage',
      match: { method: 'PUT', path: '/b/worker-state/' },
      status: 404,
      forMs: 60_000,
    },
  },
  {
    place: 'state',
    code: 'service.denied',
    fault: {
      service: 'objectstorage',
      match: { method: 'GET', path: '/b/worker-state/' },
      status: 403,
      forMs: 60_000,
    },
  },
  {
    place: 'evidence',
    code: 'service.missing',
    fault: {
      service: 'objectstorage',
      match: { method: 'PUT', path: '/b/evidence-worker/' },
      status: 404,
      forMs: 60_000,
    },
  },
  {
    place: 'jobs',
    code: 'service.missing',
    fault: { service: 'streaming', match: { method: 'GET', path: STREAMS.jobs }, status: 404, forMs: 60_000 },
  },
  {
    place: 'key',
    code: 'service.missing',
    fault: {
      service: 'vault',
      match: { principal: principalOf(WORKER), path: 'sign' },
      status: 404,
      forMs: 60_000,
    },
  },
])
  test(`${place} answers ${fault.status} to ${fault.match.method ?? 'SIGN'}: nothing is lost`, async () => {
    const pid = system.pid(WORKER)
    await system.deployment.control.arm(fault)
    const sealed = await system.seal(`${place}-${fault.status}-${fault.match.method}`)
    const jobId = jobIdOf(await system.upload(sealed.file))
    await waitForLine(system, 'refused', { place, code })
    assert.equal(await readiness(), 503)
    const metrics = await system.deployment.metricsOf(WORKER)
    assert.ok(metrics.includes(`cw_worker_refused{code="${code}",place="${place}"} 1`), metrics)

    await system.deployment.control.clearFaults()
    await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
    assert.equal((await resultsOf(system, sealed.headerDigest)).length, 1)
    await until(system, 'the worker still counts as refused', async () => {
      const metrics = await system.deployment.metricsOf(WORKER)
      return (await readiness()) === 200 && !metrics.includes('cw_worker_refused{')
    })
    assert.deepEqual(await deadLetters(system), [])
    assert.equal(system.pid(WORKER), pid)
    const ends = system.linesOf(WORKER).filter((line) => line['jobId'] === jobId)
    assert.deepEqual(
      ends.filter((line) => messageOf(line) === 'ended').map(({ outcome }) => outcome),
      ['visible'],
    )
  })

test('a worker that starts without its key waits, and joins when it may use the key', async () => {
  const fault = { service: 'vault', match: { method: 'GET', path: KEYS.client }, status: 404, forMs: 60_000 }
  await system.deployment.control.arm(fault)
  await system.deployment.program(WORKER)?.stop()
  await system.deployment.start(WORKER)
  const pid = system.pid(WORKER)
  await waitForLine(system, 'refused', { place: 'key' })
  assert.equal(await readiness(), 503)
  await system.deployment.control.clearFaults()
  await until(system, 'the worker does not join', async () => (await readiness()) === 200)
  assert.equal(system.pid(WORKER), pid)
})

test('the evidence of it is intact', async () => {
  await audit(system)
})

async function readiness(): Promise<number> {
  const ready = system.linesOf(WORKER).findLast((line) => messageOf(line) === 'ready')
  return (await fetch(`${String(ready?.['monitor'])}/readyz`)).status
}
