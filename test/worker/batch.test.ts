import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { toBase64url } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { attemptsPrefix, claimName, endName, retryName } from '#core/job/attempt.ts'
import { DeadLetterFormat } from '#core/job/deadLetter.ts'
import { type Job, JobFormat, jobIdOf } from '#core/job/job.ts'
import { signCompact } from '#core/jws.ts'
import { encodeSealHeader } from '#core/sealed/object.ts'
import { encodeSetRecord, SetRecordFormat } from '#core/sealed/setRecord.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { runBatch } from '../../src/worker/batch.ts'
import type { Boot } from '../../src/worker/boot.ts'
import { FinishedJobs } from '../../src/worker/finished.ts'
import { createWorkerMetrics } from '../../src/worker/metrics.ts'
import { virtualClock } from '../clock.ts'
import { NOW, sealingKey } from '../core/release/releaseWorld.ts'
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

type Setting = {
  readonly store: ObjectStore
  readonly read: Boot['objects']['read']
  /** By default no job gets as far as that. */
  readonly ask?: Boot['attester']['ask']
  readonly clock?: Boot['clock']
}

/** A worker whose Verifier answers no request, and what it publishes. */
async function workerOf({ store, read, ask, clock = virtualClock() }: Setting) {
  const published = { jobs: [] as Uint8Array[], deadLetters: [] as Uint8Array[] }
  const log: Boot['log'] = { info: () => {}, warn: () => {}, error: assert.fail, child: () => log }
  const base = await publicationBootOf(store)
  const boot: Boot = {
    ...base,
    attester: {
      challenge: async () => ({ nonce: '', exp: 0, aud: '' }),
      ask: ask ?? (async () => assert.fail()),
    },
    objects: {
      head: async () => ({ etag: 'e1', size: 1, contentType: undefined }),
      read,
      readAll: async () => assert.fail(),
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
  const never = new AbortController().signal
  const run = (jobs: readonly Job[]) =>
    runBatch(
      jobs.map((job) => ({ job, message: Buffer.from(JobFormat.encode(job)) })),
      boot,
      never,
      never,
    )
  const letters = () => published.deadLetters.map((value) => DeadLetterFormat.decode(value))
  return { run, published, letters }
}

test('a service that is away for one object holds the batch for ten minutes, then the job goes back', async (t) => {
  const store = folderStore(await temporaryFolder(t))
  const clock = virtualClock()
  const { run, published, letters } = await workerOf({
    store,
    clock,
    read: async ({ name }) => {
      if (name === 'away') throw new CodedError('service.unavailable', 'getObject answered 503')
      throw new CodedError('object.changed', 'getObject answered 412')
    },
  })
  const jobs = ['away', 'changed'].map(jobOf)
  await run(jobs)

  assert.ok(clock.monotonic() >= LONGEST_BATCH_MS && clock.monotonic() < LONGEST_BATCH_MS + 20_000)
  const [away, changed] = jobs
  assert.ok(away !== undefined && changed !== undefined)
  assert.deepEqual(
    published.jobs.map((value) => JobFormat.decode(value)),
    [{ ...away, notBefore: NOW + 10 }],
  )
  assert.deepEqual(
    letters().map(({ jobId }) => jobId),
    [changed.jobId],
  )
  const end = { ...bucket('state'), name: endName(away.jobId, 0, 1) }
  assert.equal((await store.readAll(end, 100)).toString(), 'again service.unavailable')
  const attempts = await Array.fromAsync(store.list(bucket('state'), attemptsPrefix(away.jobId, 0)))
  assert.equal(attempts.length, 2)
})

test('five full sets are two requests, and the second follows at once', async (t) => {
  const sets = ['0', '1', '2', '3', '4'].map((digit) => digit.repeat(32))
  const members = Array.from({ length: 64 }, (_, index) => ({
    sealId: index.toString(16).padStart(32, '0'),
    headerDigest: toBase64url(Buffer.alloc(32, index)),
    size: 1,
  }))
  const records = new Map(
    await Promise.all(
      sets.map(async (set) => {
        const record = {
          v: 1 as const,
          tenant: 'hospital',
          dataset: 'cohort',
          set,
          name: set,
          members,
          sealedAt: NOW,
        }
        return [set, encodeSetRecord(await signCompact(SetRecordFormat, record, sealingKey))] as const
      }),
    ),
  )
  const asked: number[][] = []
  const clock = virtualClock()
  const { run, letters } = await workerOf({
    store: folderStore(await temporaryFolder(t)),
    clock,
    read: async ({ name }) => records.get(name) ?? encodeSealHeader('a.b.c'),
    ask: async (_, jobs) => {
      asked.push(jobs.map(({ objects }) => objects.length))
      const denial = { code: 'object.withdrawn' as const, denialId: 'd'.repeat(32) }
      return jobs.map(() => ({ kind: 'refused', denial, message: 'withdrawn' }))
    },
  })
  await run(sets.map(jobOf))
  assert.deepEqual(asked, [[64, 64, 64, 64], [64]])
  assert.deepEqual(clock.slept, [])
  assert.equal(letters().length, sets.length)
})

const MISSING: Boot['objects']['read'] = async () => {
  throw new CodedError('object.changed', 'getObject answered 412')
}

for (const { name, end } of [
  { name: 'three workers died in', end: undefined },
  { name: 'failed three times by a fault of our own', end: 'failed internal.fault' },
])
  test(`a job that ${name} gets one dead letter, however often it is delivered`, async (t) => {
    const folder = await temporaryFolder(t)
    const store = folderStore(folder)
    const put = (object: string, text: string) =>
      store.create({ ...bucket('state'), name: object }, Buffer.from(text))
    const job = jobOf('killer')
    const spend = async (round: number) => {
      for (const number of [1, 2, 3]) {
        await put(claimName(job.jobId, round, number), `${'a'.repeat(26)}/${number}/x`)
        if (end !== undefined) await put(endName(job.jobId, round, number), end)
      }
    }
    await spend(0)
    const [first, second] = [
      await workerOf({ store, read: MISSING }),
      await workerOf({ store: folderStore(folder), read: MISSING }),
    ]
    // Twice in one batch, in a later batch, and to another worker.
    await first.run([job, job])
    await first.run([job])
    await second.run([job])
    assert.deepEqual(
      first.letters().map(({ code, attempts }) => ({ code, attempts })),
      [{ code: 'job.exhausted', attempts: 3 }],
    )
    assert.deepEqual(second.letters(), [])
    // An operator starts a round: it ends with a letter of its own.
    await put(retryName(job.jobId, 1), '')
    await spend(1)
    await second.run([job])
    await first.run([job])
    assert.deepEqual([first.letters().length, second.letters().length], [1, 1])
  })
