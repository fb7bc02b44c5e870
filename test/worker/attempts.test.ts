import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CodedError } from '#core/errors.ts'
import { asideName, claimName, doneName, endName, retryName } from '#core/job/attempt.ts'
import { type Job, jobIdOf } from '#core/job/job.ts'
import { manifestName } from '#core/sealed/manifest.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { admitJob, OpenAttempts } from '../../src/worker/attempts.ts'
import { temporaryFolder } from '../adapters/evidence/stores.ts'
import { linesOf } from '../log.ts'
import { folderStore, publicationBootOf } from './workerBoot.ts'

const { signal } = new AbortController()
const place = { namespace: 'hospital', bucket: 'outbox', object: 'ab/cd', etag: 'e-1' }
const job: Job = {
  v: 1,
  jobId: jobIdOf(place),
  eventId: 'event-1',
  ...place,
  size: 12,
  traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
  enqueuedAt: 0,
  notBefore: 0,
}
const { jobId } = job
const NONE = { next: 1, counted: 0, suspect: false, givenBack: [] }
const RESULT_ID = 'cd'.repeat(32)

/** Two boots of a pool over one state bucket. */
async function pool() {
  const folder = await temporaryFolder()
  const store = folderStore(folder)
  const [first, second] = [await publicationBootOf(store), await publicationBootOf(folderStore(folder))]
  const claim = (boot: typeof first, alone = false) => admitJob(job, alone, boot, signal)
  const put = (name: string, text: string) =>
    store.create({ ...first.buckets.state, name }, Buffer.from(text))
  return { store, first, second, claim, put }
}

test('the first attempt is claimed, and a second boot sees a suspect', async () => {
  const { first, second, claim } = await pool()
  assert.deepEqual(await claim(first), { kind: 'claimed', claim: { round: 0, number: 1, history: NONE } })
  assert.deepEqual(await claim(second), { kind: 'suspect' })
  const admission = await claim(second, true)
  assert.ok(admission.kind === 'claimed')
  assert.deepEqual([admission.claim.number, admission.claim.history.counted], [2, 1])
})

test('three attempts without an end exhaust the job', async () => {
  const { first, claim, put } = await pool()
  for (const number of [1, 2, 3]) await put(claimName(jobId, 0, number), `${'a'.repeat(26)}/${number}/x`)
  assert.deepEqual(await claim(first, true), { kind: 'exhausted', round: 0, counted: 3 })
})

test('a job that was set aside is not taken up again, until an operator starts a round', async () => {
  const { first, second, claim, put } = await pool()
  await claim(first)
  await put(endName(jobId, 0, 1), 'failed object.unsigned')
  await put(asideName(jobId, 0), 'object.unsigned')
  for (const boot of [first, second])
    assert.deepEqual(await claim(boot, true), { kind: 'set-aside', code: 'object.unsigned' })
  await put(retryName(jobId, 1), '')
  assert.deepEqual(await claim(second), { kind: 'claimed', claim: { round: 1, number: 1, history: NONE } })
})

test('an operator starts a round, in which the attempts before it tell nothing', async () => {
  const { first, second, claim, put } = await pool()
  for (const number of [1, 2, 3]) await put(claimName(jobId, 0, number), `${'a'.repeat(26)}/${number}/x`)
  await put(retryName(jobId, 1), 'content tells nothing')
  assert.deepEqual(await claim(first), { kind: 'claimed', claim: { round: 1, number: 1, history: NONE } })
  assert.deepEqual(await claim(second), { kind: 'suspect' })
  for (const number of [2, 3]) await put(claimName(jobId, 1, number), `${'a'.repeat(26)}/${number}/x`)
  assert.deepEqual(await claim(second, true), { kind: 'exhausted', round: 1, counted: 3 })
  // Round 2 is absent, so round 3 is not in force.
  await put(retryName(jobId, 3), '')
  assert.deepEqual(await claim(second, true), { kind: 'exhausted', round: 1, counted: 3 })
  await put(retryName(jobId, 2), '')
  assert.deepEqual(await claim(second), { kind: 'claimed', claim: { round: 3, number: 1, history: NONE } })
})

test('attempts that were given back never exhaust the job', async () => {
  const { first, claim } = await pool()
  const { log } = linesOf()
  for (let number = 1; number <= 5; number++) {
    const admission = await claim(first)
    assert.ok(admission.kind === 'claimed')
    assert.deepEqual([admission.claim.number, admission.claim.history.counted], [number, 0])
    const attempts = new OpenAttempts({ ...first, log })
    attempts.add({ job, message: Buffer.alloc(0) }, admission.claim)
    await attempts.giveBack()
  }
})

test('a job with a result ends at once, before an attempt is claimed', async () => {
  const { store, first, second, claim, put } = await pool()
  await first.finished.record(jobId, RESULT_ID, signal)
  // Without its manifest the pointer tells nothing.
  assert.equal((await claim(first)).kind, 'claimed')
  await store.create({ ...first.buckets.results, name: manifestName(RESULT_ID) }, Buffer.from('x'))
  assert.deepEqual(await claim(second), { kind: 'done', resultId: RESULT_ID })
  await put(endName(jobId, 0, 1), 'again')
  assert.deepEqual(await claim(second), { kind: 'done', resultId: RESULT_ID })
})

for (const [name, bytes] of [
  ['a path', Buffer.from('../../etc/passwd')],
  ['bytes that are no text', Buffer.from([0xff, 0xfe])],
  ['a result id with a character more', Buffer.from(`${RESULT_ID}0`)],
] as const)
  test(`a pointer that is ${name} is ignored`, async () => {
    const { store, first, claim } = await pool()
    await store.create({ ...first.buckets.results, name: manifestName(RESULT_ID) }, Buffer.from('x'))
    await store.create({ ...first.buckets.state, name: doneName(jobId) }, bytes)
    assert.equal((await claim(first)).kind, 'claimed')
  })

test('a claim whose answer was lost is recognised as our own', async () => {
  const { store, first } = await pool()
  const losing: ObjectStore = {
    ...store,
    create: async (object, bytes, aborted) => {
      await store.create(object, bytes, aborted)
      throw new CodedError('service.conflict', 'sent twice')
    },
  }
  assert.deepEqual(await admitJob(job, false, { ...first, store: losing }, signal), {
    kind: 'claimed',
    claim: { round: 0, number: 1, history: NONE },
  })
})

test('an end is written once, and only for an attempt that is open', async () => {
  const { store, first, claim } = await pool()
  const { log } = linesOf()
  const leased = { job, message: Buffer.alloc(0) }
  const attempts = new OpenAttempts({ ...first, log })
  await attempts.end(leased, { kind: 'failed', code: 'internal.fault' }, signal)
  const admission = await claim(first)
  assert.ok(admission.kind === 'claimed')
  attempts.add(leased, admission.claim)
  assert.equal(attempts.isTakenByAnother({ ...leased }), true)
  assert.equal(attempts.isTakenByAnother(leased), false)
  await attempts.end(leased, { kind: 'failed', code: 'internal.fault' }, signal)
  await attempts.giveBack()
  const end = await store.readAll({ ...first.buckets.state, name: endName(jobId, 0, 1) }, 64)
  assert.equal(end.toString(), 'failed internal.fault')
})

test('an attempt that cannot be given back is logged, and nothing is thrown', async () => {
  const { store, first } = await pool()
  const { log, lines } = linesOf()
  const failing = {
    ...store,
    create: () => Promise.reject(new CodedError('service.unavailable', 'no answer')),
  }
  const attempts = new OpenAttempts({ ...first, store: failing, log })
  attempts.add({ job, message: Buffer.alloc(0) }, { round: 0, number: 1, history: NONE })
  await attempts.giveBack()
  assert.deepEqual(lines, [
    { level: 'warn', msg: 'attempt left open', jobId, code: 'service.unavailable', error: 'no answer' },
  ])
})
