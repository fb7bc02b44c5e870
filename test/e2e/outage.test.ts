/**
 * The Verifier, or all of OCI, goes away while a job is in hand, for seconds here and for as long as it takes in life: the
 * worker waits, keeps its process, and goes on where it was.
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
/** Longer than a first wait, than a reservation, and than what a call is tried again for by itself. 30 s were run by hand. */
const OUTAGE_MS = 5000

type Outage = {
  readonly name: string
  readonly program: 'verifier' | 'emulator'
  /** Where the job is when it begins: the call that hangs. */
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
  test(`${name}, and comes back: the job has one result, by workers that never ended`, async () => {
    const { deployment } = system
    const before = pids()
    const sealed = await system.seal(name.replaceAll(/\W+/g, '-'))
    // Long enough for the kill to come first; the call is then answered late, or cut with whoever would answer it.
    await deployment.control.arm({ service: 'objectstorage', match: during, latencyMs: 1500, times: 1 })
    const jobId = jobIdOf(await system.upload(sealed.file))
    await until(
      system,
      'no worker is at the call',
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

test('the Verifier hangs without a word: the job waits for it', async () => {
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

test('the evidence of all of it is intact', async () => {
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

/** While OCI is away, nobody can look; while the Verifier is, there must be nothing to see. */
async function resultsAtRest(program: Outage['program'], headerDigest: string) {
  return program === 'emulator' ? [] : await resultsOf(system, headerDigest)
}
