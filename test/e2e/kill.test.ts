/**
 * kill -9 of a worker at every point of a job at which something else is durable. The emulator keeps one call of the worker
 * waiting, so that the moment is certain; whatever the worker would have done after it never happens.
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
/** Until the partitions of the dead worker are given to another. */
const RESERVATION_MS = 3000

type Moment = {
  readonly name: string
  /** The call of the worker that never returns. */
  readonly call: { readonly service: string; readonly method: string; readonly path: string }
  /** What the audit says of the release to the worker that was killed; null where it had none. */
  readonly killed: string | null
  /** And of the one to the worker that took the job over. */
  readonly finished: 'visible' | 'superseded'
}

const MOMENTS: readonly Moment[] = [
  {
    name: 'after the lease, before it has asked for a key',
    call: { service: 'objectstorage', method: 'GET', path: '/b/outbox/' },
    killed: null,
    finished: 'visible',
  },
  {
    name: 'with the key in hand, before its attempt is counted',
    call: { service: 'objectstorage', method: 'PUT', path: '/b/worker-state/' },
    killed: 'undelivered',
    finished: 'visible',
  },
  {
    name: 'with the object opened and computed, before the intent',
    call: { service: 'objectstorage', method: 'PUT', path: '/b/results/' },
    killed: 'undelivered',
    finished: 'visible',
  },
  {
    name: 'after parts and intent, before the manifest',
    call: { service: 'objectstorage', method: 'PUT', path: '%2Fresult' },
    killed: 'abandoned',
    finished: 'visible',
  },
  {
    name: 'after the manifest, before the commit of the batch',
    call: { service: 'streaming', method: 'POST', path: `/${STREAMS.jobs}/commit` },
    killed: 'visible',
    finished: 'superseded',
  },
]

const audited = new Set<string>()
let system: SystemUnderTest
before(async () => {
  system = await startSystem({ workers: WORKERS.length, reservationMs: RESERVATION_MS })
})
after(() => system?.close())

for (const moment of MOMENTS)
  test(`a worker is killed ${moment.name}: the other one finishes, and there is one result`, async () => {
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

    const victim = await killWhoHangs(moment)
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
        { boot, status: moment.finished },
      ],
    )
    await system.deployment.start(victim)
  })

test('an auditor without network or key finds the same: intact, with one result a job', async () => {
  await auditByCommand(system)
  const { results } = await audit(system)
  assert.equal(results.length, MOMENTS.length)
  assert.equal(new Set(results.map(({ resultId }) => resultId)).size, MOMENTS.length)
})

/** Ends it as the kernel does when memory runs out: no word, no file closed, no lease given back. */
async function killWhoHangs({ name }: Moment): Promise<string> {
  let victim: string | undefined
  await until(system, `no worker has come to be ${name}`, async () => {
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
