/**
 * Kills a worker (SIGKILL) at each point of a job where the durable state differs. The emulator holds one
 * call of the worker, which fixes the moment: nothing that the worker would do afterwards happens.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { jobIdOf } from '#core/job/job.ts'
import { STREAMS } from '#lab/demo/names.ts'
import {
  audit,
  auditByCommand,
  bootOf,
  commits,
  principalOf,
  resultsOf,
  type SystemUnderTest,
  startSystem,
  until,
  waitForLine,
} from './systemUnderTest.ts'

const WORKERS = ['worker-1', 'worker-2'] as const
/** After this time the partitions of the dead worker go to another. */
const RESERVATION_MS = 3000

type Moment = {
  readonly name: string
  /** The worker's call that never returns. */
  readonly call: { readonly service: string; readonly method: string; readonly path: string }
  /** The audited status of the release to the killed worker; null if it got no key. */
  readonly killed: string | null
  /** The audited status of the release to the worker that took over. */
  readonly finished: 'visible' | 'superseded'
  /** Whether the worker that took over was granted the key again. Default true. */
  readonly releasedAgain?: boolean
}

const MOMENTS: readonly Moment[] = [
  {
    name: 'after its attempt is claimed, before the key request',
    call: { service: 'objectstorage', method: 'GET', path: '/b/outbox/' },
    killed: null,
    finished: 'visible',
  },
  {
    name: 'before its attempt is claimed',
    call: { service: 'objectstorage', method: 'PUT', path: '/b/worker-state/' },
    killed: null,
    finished: 'visible',
  },
  {
    name: 'after the computation, before the intent',
    call: { service: 'objectstorage', method: 'PUT', path: '/b/results/' },
    killed: 'undelivered',
    finished: 'visible',
  },
  {
    name: 'after the parts and the intent, before the manifest',
    call: { service: 'objectstorage', method: 'PUT', path: '%2Fresult' },
    killed: 'abandoned',
    finished: 'visible',
  },
  {
    name: 'after the manifest, before the job is marked as done',
    call: { service: 'objectstorage', method: 'PUT', path: '/b/worker-state/o/done%2F' },
    killed: 'visible',
    finished: 'superseded',
    releasedAgain: true,
  },
  {
    name: 'after the job is marked as done, before the commit of the batch',
    call: { service: 'streaming', method: 'POST', path: `/${STREAMS.jobs}/commit` },
    killed: 'visible',
    finished: 'superseded',
    releasedAgain: false,
  },
]

const audited = new Set<string>()
let system: SystemUnderTest
before(async () => {
  system = await startSystem({ workers: WORKERS.length, reservationMs: RESERVATION_MS })
})
after(() => system?.close())

for (const moment of MOMENTS)
  test(`a worker is killed ${moment.name}: the other worker finishes, with one result`, async () => {
    const sealed = await system.seal(moment.name.replaceAll(/\W+/g, '-'))
    const committed = await commits(system)
    for (const worker of WORKERS) {
      const match = { method: moment.call.method, path: moment.call.path, principal: principalOf(worker) }
      await system.deployment.control.arm({
        service: moment.call.service,
        match,
        latencyMs: 600_000,
        times: 1,
      })
    }
    const uploaded = await system.upload(sealed.file)
    const jobId = jobIdOf(uploaded)

    const victim = await killWaitingWorker(moment)
    const killedBoot = bootOf(system, victim)
    const { program, line } = await waitForLine(system, 'ended', { jobId, outcome: moment.finished })
    const boot = bootOf(system, program)
    assert.notEqual(program, victim)
    await until(system, 'the batch is not committed', async () => (await commits(system)) > committed)

    const manifests = await resultsOf(system, sealed.headerDigest)
    assert.equal(manifests.length, 1)
    assert.equal(manifests[0]?.resultId, line['detail'])
    assert.equal(manifests[0]?.boot, moment.finished === 'visible' ? boot : killedBoot)

    const { releases } = await audit(system)
    const ofThisJob = releases.flatMap((release) =>
      release.kind === 'allowed' && !audited.has(release.releaseId) ? [release] : [],
    )
    for (const { releaseId } of ofThisJob) audited.add(releaseId)
    assert.deepEqual(
      ofThisJob.map((release) => ({ boot: release.boot, status: release.status })),
      [
        ...(moment.killed === null ? [] : [{ boot: killedBoot, status: moment.killed }]),
        ...(moment.releasedAgain === false ? [] : [{ boot, status: moment.finished }]),
      ],
    )
    await system.deployment.start(victim)
  })

test('an offline audit without keys finds the evidence intact, with one result per job', async () => {
  await auditByCommand(system)
  const { results } = await audit(system)
  assert.equal(results.length, MOMENTS.length)
  assert.equal(new Set(results.map(({ resultId }) => resultId)).size, MOMENTS.length)
})

/**
 * Kills the waiting worker as the kernel does when memory runs out: nothing is logged, closed or given back.
 */
async function killWaitingWorker({ name }: Moment): Promise<string> {
  let victim: string | undefined
  await until(system, `no worker has reached the moment ${name}`, async () => {
    const waiting = new Set((await system.deployment.control.armed()).map(({ match }) => match?.principal))
    victim = WORKERS.find((worker) => !waiting.has(principalOf(worker)))
    return victim !== undefined
  })
  const program = system.deployment.program(victim ?? '')
  assert.ok(program !== undefined)
  program.kill('SIGKILL')
  assert.equal((await program.ended).signal, 'SIGKILL')
  await system.deployment.control.clearFaults()
  return program.name
}
