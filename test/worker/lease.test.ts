import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRegistry } from '#adapters/system/monitor.ts'
import { DeadLetterFormat } from '#core/job/deadLetter.ts'
import { JobFormat, jobIdOf } from '#core/job/job.ts'
import { acceptMessage, claimAttempt, type Desk, MAX_ATTEMPTS, putBack } from '../../src/worker/lease.ts'
import { createWorkerMetrics } from '../../src/worker/metrics.ts'
import { temporaryFolder } from '../adapters/evidence/stores.ts'
import { NOW } from '../core/release/world.ts'
import { bucket, folderStore, pressOf } from './world.ts'

const { signal } = new AbortController()
const place = { namespace: 'hospital', bucket: 'outbox', object: 'ab/cd', etag: 'e-1' }
const job = {
  v: 1 as const,
  jobId: jobIdOf(place),
  eventId: 'event-1',
  ...place,
  size: 12,
  traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
  enqueuedAt: NOW,
  notBefore: 0,
}

async function deskOf() {
  const store = folderStore(await temporaryFolder())
  const { evidence, time } = await pressOf(store)
  const published: { stream: string; value: Uint8Array }[] = []
  const producer = (stream: string) => ({
    publish: async (_key: string, value: Uint8Array) => {
      published.push({ stream, value })
    },
  })
  const desk: Desk = {
    store,
    stateBucket: bucket('state'),
    jobs: producer('jobs'),
    deadLetters: producer('dead-letters'),
    evidence,
    time,
    metrics: createWorkerMetrics(createRegistry(), true),
  }
  return { desk, published }
}

const message = (value: Uint8Array) => ({ partition: '0', offset: 0, value: Buffer.from(value) })

test('a job is taken as it is', async () => {
  const { desk, published } = await deskOf()
  const leased = await acceptMessage(message(JobFormat.encode(job)), desk, signal)
  assert.deepEqual(leased?.job, job)
  assert.deepEqual(published, [])
})

for (const { name, value, kept } of [
  { name: 'no JSON', value: Buffer.from('not a job'), kept: true },
  { name: 'a job with a field too many', value: Buffer.from('{"v":1,"x":2}'), kept: true },
  { name: 'more than a job may have', value: Buffer.alloc(5000, 0x20), kept: false },
])
  test(`${name}: set aside with its code, and the message where it is small`, async () => {
    const { desk, published } = await deskOf()
    assert.equal(await acceptMessage(message(value), desk, signal), undefined)
    assert.deepEqual(
      published.map(({ stream }) => stream),
      ['dead-letters'],
    )
    const letter = DeadLetterFormat.decode(published[0]?.value ?? Buffer.alloc(0))
    assert.deepEqual(
      { code: letter.code, jobId: letter.jobId, size: letter.size, kept: letter.message !== null },
      { code: 'job.malformed', jobId: null, size: value.byteLength, kept },
    )
  })

test('a job is tried three times, whoever tries it', async () => {
  const { desk } = await deskOf()
  for (const attempt of [1, 2, 3]) assert.equal(await claimAttempt(job, desk, signal), attempt)
  assert.equal(await claimAttempt(job, desk, signal), MAX_ATTEMPTS + 1)
  assert.equal(await claimAttempt(job, desk, signal), MAX_ATTEMPTS + 1)
  const other = { ...job, jobId: 'f'.repeat(32) }
  assert.equal(await claimAttempt(other, desk, signal), 1)
})

test('a job that is put back is the same job, later', async () => {
  const { desk, published } = await deskOf()
  await putBack({ job, message: JobFormat.encode(job) }, 'internal.fault', desk, signal)
  const [returned] = published
  assert.equal(returned?.stream, 'jobs')
  assert.deepEqual(JobFormat.decode(returned.value), { ...job, notBefore: NOW + 10 })
})
