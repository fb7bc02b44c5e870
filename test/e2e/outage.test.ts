/**
 * The Verifier or all of OCI fails during a job: for seconds here, for any time in production. The worker
 * waits in the same process and then continues the job.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { systemClock } from '#adapters/system/clock.ts'
import { jobIdOf } from '#core/job/job.ts'
import {
  audit,
  auditByCommand,
  resultsOf,
  type SystemUnderTest,
  startSystem,
  until,
  waitForLine,
} from './systemUnderTest.ts'

const WORKERS = ['worker-1', 'worker-2'] as const
/**
 * Longer than the first wait, a reservation, and the retries of a single call. Also run once by hand with 30
 * s.
 */
const OUTAGE_MS = 5000

type Outage = {
  readonly name: string
  readonly program: 'verifier' | 'emulator'
  /** The call that is waiting when the outage begins. */
  readonly during: { readonly method: string; readonly path: string }
}

const OUTAGES: readonly Outage[] = [
  {
    name: 'the Verifier is killed before a job has its key',
    program: 'verifier',
    during: { method: 'GET', path: '/b/outbox/' },
  },
  {
    name: 'OCI is killed while a result is written',
    program: 'emulator',
    during: { method: 'PUT', path: '/b/results/' },
  },
  {
    name: 'OCI is killed between intent and manifest',
    program: 'emulator',
    during: { method: 'PUT', path: '%2Fresult' },
  },
]

let system: SystemUnderTest
before(async () => {
  system = await startSystem({ workers: WORKERS.length, reservationMs: 3000 })
})
after(() => system?.close())

const pids = () => WORKERS.map((worker) => system.pid(worker))

for (const { name, program, during } of OUTAGES)
  test(`${name} and restarted: the job has one result, and the workers never ended`, async () => {
    const { deployment } = system
    const before = pids()
    const sealed = await system.seal(name.replaceAll(/\W+/g, '-'))
    // Long enough for the kill to come first. The call is then answered late, or its connection breaks.
    await deployment.control.arm({ service: 'objectstorage', match: during, latencyMs: 1500, times: 1 })
    const jobId = jobIdOf(await system.upload(sealed.file))
    await until(
      system,
      'no worker has made the call',
      async () => (await system.deployment.control.armed()).length === 0,
    )

    await killProgram(program)
    await systemClock.sleep(OUTAGE_MS)
    assert.deepEqual(await resultsAtRest(program, sealed.headerDigest), [])
    await deployment.start(program)

    await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
    await until(
      system,
      'there is no result',
      async () => (await resultsOf(system, sealed.headerDigest)).length > 0,
    )
    assert.equal((await resultsOf(system, sealed.headerDigest)).length, 1)
    assert.deepEqual(pids(), before)
  })

test('the Verifier is killed between decision and end: its next boot tells it, and the job has its result', async () => {
  const { deployment } = system
  const sealed = await system.seal('interrupted')
  // The decision is stored, and the Vault never answers.
  await deployment.control.arm({
    service: 'vault',
    match: { path: '/decrypt' },
    latencyMs: 600_000,
    times: 1,
  })
  const jobId = jobIdOf(await system.upload(sealed.file))
  await until(system, 'the Vault was not asked', async () => (await deployment.control.armed()).length === 0)
  await killProgram('verifier')
  await deployment.control.clearFaults()
  await deployment.start('verifier')

  await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
  await waitForLine(system, 'another Verifier died in a request', { releases: 1 })
  const { releases } = await audit(system)
  const ofThisJob = releases.filter((release) => release.kind === 'allowed').slice(-2)
  assert.deepEqual(
    ofThisJob.map(({ status }) => status),
    ['interrupted', 'visible'],
  )
})

test('the Verifier hangs: the job waits for it', async () => {
  const before = pids()
  const verifier = system.deployment.program('verifier')
  const sealed = await system.seal('frozen')
  verifier?.kill('SIGSTOP')
  const jobId = jobIdOf(await system.upload(sealed.file))
  await waitForLine(system, 'event.decided', { jobId })
  await systemClock.sleep(OUTAGE_MS)
  assert.deepEqual(await resultsOf(system, sealed.headerDigest), [])
  verifier?.kill('SIGCONT')
  await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
  assert.equal((await resultsOf(system, sealed.headerDigest)).length, 1)
  assert.deepEqual(pids(), before)
})

test('the evidence is intact after every outage', async () => {
  for (const worker of WORKERS)
    assert.deepEqual(await system.deployment.program(worker)?.stop(), { code: 0, signal: null })
  await audit(system)
  await auditByCommand(system)
})

async function killProgram(name: Outage['program']): Promise<void> {
  const program = system.deployment.program(name)
  assert.ok(program !== undefined)
  program.kill('SIGKILL')
  await program.ended
}

/** Without OCI no client can list results. Without the Verifier there must be none. */
async function resultsAtRest(program: Outage['program'], headerDigest: string) {
  return program === 'emulator' ? [] : await resultsOf(system, headerDigest)
}
