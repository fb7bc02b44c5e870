import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { CodedError } from '#core/errors.ts'
import { attemptsPrefix, endName } from '#core/job/attempt.ts'
import { DeadLetterFormat } from '#core/job/deadLetter.ts'
import { type Job, JobFormat, jobIdOf } from '#core/job/job.ts'
import { runBatch } from '../../src/worker/batch.ts'
import type { Boot } from '../../src/worker/boot.ts'
import { FinishedJobs } from '../../src/worker/finished.ts'
import { createWorkerMetrics } from '../../src/worker/metrics.ts'
import { virtualClock } from '../clock.ts'
import { NOW } from '../core/release/releaseWorld.ts'
import { temporaryFolder } from '../lab/emulator/testEmulator.ts'
import { bucket, folderStore, publicationBootOf } from './workerBoot.ts'

const LONGEST_BATCH_MS = 600_000

function jobOf(object: string): Job {
  const place = { namespace: 'hospital', bucket: 'outbox', object, etag: 'e1' }
  return {
    v: 1,
    jobId: jobIdOf(place),
    eventId: 'by-hand',
    ...place,
    size: 5000,
    traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
    enqueuedAt: 1,
    notBefore: 0,
  }
}

test('a service that is away for one object holds the batch for ten minutes, then the job goes back', async (t) => {
  const store = folderStore(await temporaryFolder(t))
  const published = { jobs: [] as Uint8Array[], deadLetters: [] as Uint8Array[] }
  const clock = virtualClock()
  const log: Boot['log'] = { info: () => {}, warn: () => {}, error: assert.fail, child: () => log }
  const base = await publicationBootOf(store)
  const boot: Boot = {
    ...base,
    attester: {
      challenge: async () => ({ nonce: '', exp: 0, aud: '' }),
      // No job gets as far as that.
      ask: async () => assert.fail(),
    },
    objects: {
      read: async ({ name }) => {
        if (name === 'away') throw new CodedError('service.unavailable', 'getObject answered 503')
        throw new CodedError('object.changed', 'getObject answered 412')
      },
      stream: assert.fail,
    },
    jobs: { publish: async (_, value) => void published.jobs.push(value) },
    deadLetters: { publish: async (_, value) => void published.deadLetters.push(value) },
    finished: new FinishedJobs({ store, buckets: base.buckets }),
    workloads: [],
    concurrency: 1,
    clock,
    metrics: createWorkerMetrics(new Registry(), true),
    log,
  }
  const jobs = ['away', 'changed'].map(jobOf)
  const leased = jobs.map((job) => ({ job, message: Buffer.from(JobFormat.encode(job)) }))
  const never = new AbortController().signal
  await runBatch(leased, boot, never, never)

  assert.ok(clock.monotonic() >= LONGEST_BATCH_MS && clock.monotonic() < LONGEST_BATCH_MS + 20_000)
  const [away, changed] = jobs
  assert.ok(away !== undefined && changed !== undefined)
  assert.deepEqual(
    published.jobs.map((value) => JobFormat.decode(value)),
    [{ ...away, notBefore: NOW + 10 }],
  )
  assert.deepEqual(
    published.deadLetters.map((value) => DeadLetterFormat.decode(value).jobId),
    [changed.jobId],
  )
  const end = { ...bucket('state'), name: endName(away.jobId, 0, 1) }
  assert.equal((await store.readAll(end, 100)).toString(), 'again service.unavailable')
  const attempts = await Array.fromAsync(store.list(bucket('state'), attemptsPrefix(away.jobId, 0)))
  assert.equal(attempts.length, 2)
})
