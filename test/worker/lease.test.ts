import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRegistry } from '#adapters/system/monitor.ts'
import { DeadLetterFormat } from '#core/job/deadLetter.ts'
import { JobFormat, jobIdOf } from '#core/job/job.ts'
import { addSeconds } from '#core/time.ts'
import { acceptMessage, publishAgain } from '../../src/worker/lease.ts'
import { createWorkerMetrics } from '../../src/worker/metrics.ts'
import { temporaryFolder } from '../adapters/evidence/stores.ts'
import { NOW } from '../core/release/releaseWorld.ts'
import { folderStore, publicationBootOf } from './workerBoot.ts'

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

async function leasingBoot() {
  const store = folderStore(await temporaryFolder())
  const { evidence, time, buckets } = await publicationBootOf(store)
  const published: { stream: string; value: Uint8Array }[] = []
  const producer = (stream: string) => ({
    publish: async (_key: string, value: Uint8Array) => {
      published.push({ stream, value })
    },
  })
  const boot = {
    store,
    buckets,
    jobs: producer('jobs'),
    deadLetters: producer('dead-letters'),
    evidence,
    time,
    metrics: createWorkerMetrics(createRegistry(), true),
  }
  return { boot, published }
}

const message = (value: Uint8Array) => ({ partition: '0', offset: 0, value: Buffer.from(value) })

test('a job is accepted unchanged', async () => {
  const { boot, published } = await leasingBoot()
  const leased = await acceptMessage(message(JobFormat.encode(job)), boot, signal)
  assert.deepEqual(leased?.job, job)
  assert.deepEqual(published, [])
})

for (const { name, value, kept } of [
  { name: 'not JSON', value: Buffer.from('not a job'), kept: true },
  { name: 'a job with a field too many', value: Buffer.from('{"v":1,"x":2}'), kept: true },
  { name: 'more bytes than a job may have', value: Buffer.alloc(5000, 0x20), kept: false },
])
  test(`${name}: set aside with its code, and with the message if it is small`, async () => {
    const { boot, published } = await leasingBoot()
    assert.equal(await acceptMessage(message(value), boot, signal), undefined)
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

test('a job that is put back is the same job with a later notBefore', async () => {
  const { boot, published } = await leasingBoot()
  await publishAgain({ job, message: JobFormat.encode(job) }, addSeconds(boot.time.now(), 10), boot, signal)
  const [returned] = published
  assert.equal(returned?.stream, 'jobs')
  assert.deepEqual(JobFormat.decode(returned.value), { ...job, notBefore: NOW + 10 })
})
