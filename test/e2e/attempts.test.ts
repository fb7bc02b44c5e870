/**
 * Attempts at a job, over real processes: what was not the job's fault never counts, and a job that kills its
 * worker is set aside without its neighbours.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { JobFormat, jobIdOf } from '#core/job/job.ts'
import type { LogLine } from '#lab/demo/logLine.ts'
import { messageOf } from '#lab/demo/logLine.ts'
import { STREAMS } from '#lab/demo/names.ts'
import { deadLetters, messagesOn } from './streamMessages.ts'
import {
  audit,
  ociOfProgram,
  resultsOf,
  type SystemUnderTest,
  startSystem,
  until,
  waitForLine,
} from './systemUnderTest.ts'

const WORKER = 'worker-1'
/** The partition of a killed worker is free after this time. */
const RESERVATION_MS = 2000

let system: SystemUnderTest
before(async () => {
  // One partition: the jobs of a test are one batch.
  system = await startSystem({ workers: 1, partitions: 1, reservationMs: RESERVATION_MS })
})
after(() => system?.close())

test('an outage of Object Storage, however long, sets no job aside', async () => {
  const { control } = system.deployment
  // Above the number of tries in three rounds of four jobs.
  const failing = { method: 'PUT', path: '/b/results/' }
  await control.arm({ service: 'objectstorage', match: failing, status: 503, times: 80 })
  const jobs = await uploadTogether('outage', 4)
  for (const { jobId } of jobs) await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
  assert.deepEqual(await deadLetters(system), [])
})

test('a job that kills its worker is set aside after three kills, and its neighbours have their results', async () => {
  const jobs = await uploadTogether('killer', 4)
  const [, killer] = jobs
  assert.ok(killer !== undefined)
  for (let kills = 1; kills <= 3; kills++) {
    await until(system, `the killer has not run ${kills} times`, async () => runsOf(killer.jobId) === kills)
    const program = system.deployment.program(WORKER)
    program?.kill('SIGKILL')
    await program?.ended
    await system.deployment.start(WORKER)
  }
  await waitForLine(system, 'ended', { jobId: killer.jobId, outcome: 'failed', code: 'job.exhausted' })
  for (const { jobId, headerDigest } of jobs) {
    if (jobId === killer.jobId) continue
    await until(system, 'a neighbour has no result', async () => {
      return (await resultsOf(system, headerDigest)).length === 1
    })
  }
  assert.deepEqual(await resultsOf(system, killer.headerDigest), [])
  await deliverAgain(killer.jobId, 2)
  await until(system, 'a delivery has not ended', async () => endsOf(killer.jobId).length === 3)
  assert.equal(runsOf(killer.jobId), 3)
  const letters = await deadLetters(system)
  assert.deepEqual(
    letters.map(({ jobId, code, attempts }) => ({ jobId, code, attempts })),
    [{ jobId: killer.jobId, code: 'job.exhausted', attempts: 3 }],
  )
})

test('a job with a result that is delivered five times more asks for no key and becomes no dead letter', async () => {
  const [job] = await uploadTogether('again', 1)
  assert.ok(job !== undefined)
  await waitForLine(system, 'ended', { jobId: job.jobId, outcome: 'visible' })
  const before = (await deadLetters(system)).length
  // A time that no worker writes would otherwise keep the message on the stream for ever.
  await deliverAgain(job.jobId, 4, { notBefore: 253_402_300_799 })
  await until(system, 'a delivery has not ended', async () => endsOf(job.jobId).length === 6)
  assert.deepEqual(
    endsOf(job.jobId).map((line) => line['outcome']),
    ['visible', ...Array.from({ length: 5 }, () => 'superseded')],
  )
  assert.equal(runsOf(job.jobId), 1)
  assert.equal((await deadLetters(system)).length, before)
})

test('the evidence of all of it is intact', async () => {
  await audit(system)
})

type Uploaded = { readonly jobId: string; readonly headerDigest: string }

/** Uploads while the function waits, so that the worker gets the jobs at once. */
async function uploadTogether(name: string, count: number): Promise<readonly Uploaded[]> {
  const sealed = await Promise.all(
    Array.from({ length: count }, (_, index) => system.seal(`${name}-${index}`)),
  )
  const worker = system.deployment.program(WORKER)
  worker?.kill('SIGSTOP')
  try {
    const jobs: Uploaded[] = []
    for (const { file, headerDigest } of sealed) {
      const jobId = jobIdOf(await system.upload(file))
      await waitForLine(system, 'event.decided', { jobId })
      jobs.push({ jobId, headerDigest })
    }
    return jobs
  } finally {
    worker?.kill('SIGCONT')
  }
}

/** Publishes the job's message this many times, then once more with the changes, if there are any. */
async function deliverAgain(jobId: string, times: number, changes?: { readonly notBefore: number }) {
  const message = (await messagesOn(system, STREAMS.jobs)).find((bytes) => bytes.includes(jobId))
  assert.ok(message !== undefined)
  const worker = await ociOfProgram(system, WORKER)
  const producer = worker.streamProducer({ streamId: STREAMS.jobs })
  const copies = Array.from({ length: times }, () => message)
  if (changes !== undefined) copies.push(JobFormat.encode({ ...JobFormat.decode(message), ...changes }))
  for (const copy of copies) await producer.publish(jobId, copy)
  worker.close()
}

function linesAbout(jobId: string, message: string): readonly LogLine[] {
  return system.linesOf(WORKER).filter((line) => messageOf(line) === message && line['jobId'] === jobId)
}

function runsOf(jobId: string): number {
  return linesAbout(jobId, 'released').length
}

function endsOf(jobId: string): readonly LogLine[] {
  return linesAbout(jobId, 'ended')
}
