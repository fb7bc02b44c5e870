/**
 * Input that must be refused without blocking the stream: malformed messages, jobs without an object, objects
 * that do not open, repeated events. Each ends with its code, and a good job gets its result afterwards.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { Oci } from '#adapters/oci/clients.ts'
import { toBase64url } from '#core/bytes.ts'
import { claimName, endName } from '#core/job/attempt.ts'
import { type Job, JobFormat, jobIdOf } from '#core/job/job.ts'
import { workerEntries } from '#lab/demo/counts.ts'
import { copyMetrics } from '#lab/demo/metrics.ts'
import { PROVIDER, STREAMS } from '#lab/demo/names.ts'
import { POPULATION_CANARIES } from '#lab/demo/population.ts'
import { BAD_OBJECTS } from './badObjects.ts'
import { findCanaries, wordCanaries } from './canaries.ts'
import { deadLetters, timesPublished } from './streamMessages.ts'
import {
  audit,
  auditByCommand,
  bootOf,
  ociOfProgram,
  resultsOf,
  type SystemUnderTest,
  startSystem,
  until,
  waitForLine,
} from './systemUnderTest.ts'

const OUTBOX = { namespace: PROVIDER.namespace, bucket: 'outbox' }
/** A made-up name in the place of a patient's name. */
const CANARY = 'Quillfeather-Ombrose'
const WORKERS = ['worker-1', 'worker-2'] as const
const SECOND_LOOK: readonly string[] = ['object.malformed', 'object.unsigned', 'object.unopened']

let system: SystemUnderTest
/** OCI with the rights of the ingest function and of a worker, as an attacker in them would have. */
let ingest: Oci
let worker: Oci
before(async () => {
  system = await startSystem({ workers: WORKERS.length })
  ingest = await ociOfProgram(system, 'function')
  worker = await ociOfProgram(system, 'worker-1')
})
after(async () => {
  ingest?.close()
  worker?.close()
  await system?.close()
})

const publish = (key: string, message: Uint8Array) =>
  ingest.streamProducer({ streamId: STREAMS.jobs }).publish(key, message)

/** Checks that the stream is not blocked: a good object that is put in now gets exactly one result. */
async function expectGoodJob(name: string): Promise<void> {
  const sealed = await system.seal(name)
  const jobId = jobIdOf(await system.upload(sealed.file))
  await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
  assert.equal((await resultsOf(system, sealed.headerDigest)).length, 1)
}

test('malformed messages become dead letters with their code, and the stream continues', async () => {
  const good = jobOf('absent', 'e1')
  const messages = [
    { what: 'a text', bytes: Buffer.from(CANARY), kept: true },
    { what: 'a name', bytes: Buffer.from(JSON.stringify({ ...good, [CANARY]: 1 })), kept: true },
    { what: 'random bytes', bytes: randomBytes(100), kept: true },
    { what: 'an empty object', bytes: Buffer.from('{}'), kept: true },
    {
      what: 'the jobId of another object',
      bytes: Buffer.from(JSON.stringify({ ...good, object: 'other' })),
      kept: true,
    },
    { what: 'an unknown field', bytes: Buffer.from(JSON.stringify({ ...good, more: 1 })), kept: true },
    { what: 'white space', bytes: Buffer.concat([JobFormat.encode(good), Buffer.from(' ')]), kept: true },
    {
      what: 'a path traversal',
      bytes: Buffer.from(JSON.stringify({ ...good, bucket: '../x' })),
      kept: true,
    },
    {
      what: 'a bucket that would change the path',
      bytes: Buffer.from(JSON.stringify(jobOf('absent', 'e1', '..'))),
      kept: true,
    },
    { what: 'more bytes than a job may have', bytes: Buffer.alloc(5000, '{'), kept: false },
    { what: 'as many bytes as a message may have', bytes: randomBytes(500_000), kept: false },
  ]
  for (const { what, bytes } of messages) await publish(what, bytes)
  await until(
    system,
    'some messages have no dead letter',
    async () => (await deadLetters(system)).length >= messages.length,
  )

  const letters = await deadLetters(system)
  for (const { what, bytes, kept } of messages) {
    const message = toBase64url(bytes)
    const letter = letters.find(
      ({ size, message: text }) => size === bytes.byteLength && (!kept || text === message),
    )
    assert.ok(letter !== undefined, what)
    assert.equal(letter.code, 'job.malformed', what)
    assert.equal(letter.jobId, null, what)
    assert.equal(letter.message, kept ? message : null, what)
  }
  await expectGoodJob('after-garbage')
})

test('an object that must not be opened or does not open gets its code and a dead letter', async () => {
  const { sealer } = system
  const cases = await Promise.all(BAD_OBJECTS.map(async (bad) => ({ ...bad, ...(await bad.make(system)) })))
  const put = await Promise.all(
    cases.map(async ({ object, bytes }) => {
      const { etag } = await sealer.objectStore().create({ ...OUTBOX, name: object }, bytes)
      return jobIdOf({ ...OUTBOX, object, etag })
    }),
  )
  for (const [index, { code, outcome }] of cases.entries()) {
    // Its bytes are read once more after ten seconds, in another attempt.
    if (SECOND_LOOK.includes(code))
      await waitForLine(system, 'ended', { jobId: put[index], outcome: 'returned' })
    await waitForLine(system, 'ended', { jobId: put[index], code, outcome })
  }
  await expectGoodJob('after-bad-objects')

  const letters = await deadLetters(system)
  await audit(system)
  const entries = await Array.fromAsync(workerEntries(system.deployment.folders.evidence))
  for (const [index, { name, code, outcome }] of cases.entries()) {
    const jobId = put[index]
    assert.deepEqual(
      letters.filter((letter) => letter.jobId === jobId).map((letter) => letter.code),
      [code],
      name,
    )
    const event = outcome === 'failed' ? 'job.failed' : 'release.denied'
    for (const each of [event, 'job.dead-lettered'])
      assert.ok(
        entries.some(
          (entry) =>
            entry.event === each &&
            'code' in entry &&
            'jobId' in entry &&
            entry.jobId === jobId &&
            entry.code === code,
        ),
        `${name}: ${each}`,
      )
  }
})

for (const { name, code, job } of [
  { name: 'an absent object', code: 'service.missing', job: async () => jobOf('absent', 'e1') },
  {
    name: 'an object that has changed since',
    code: 'object.changed',
    job: async () => jobOf((await put('changed')).object, 'older'),
  },
  {
    name: 'a bucket that the worker may not read',
    code: 'service.missing',
    job: async () => jobOf('policy/000000001', 'e1', 'governance'),
  },
] as const)
  test(`a job for ${name} becomes a dead letter with ${code}`, async () => {
    const made: Job = await job()
    await takenUpLongAgo(made.jobId)
    await publish(made.jobId, JobFormat.encode(made))
    await waitForLine(system, 'ended', { jobId: made.jobId, outcome: 'failed', code })
    const letter = (await deadLetters(system)).find(({ jobId }) => jobId === made.jobId)
    assert.equal(letter?.code, code)
  })

for (const { name, lines } of [
  { name: 'a truncated resource', lines: `{"resourceType":"Patient","name":[{"family":"${CANARY}"` },
  { name: 'a line of plain text', lines: `${CANARY}\n` },
  { name: 'an unknown resource type', lines: `{"resourceType":"${CANARY}","id":"1"}\n{"${CANARY}":1}\n` },
])
  test(`${name} ends the job as resource.malformed`, async () => {
    const sealed = await system.seal(name.replaceAll(' ', '-'), { lines })
    const jobId = jobIdOf(await system.upload(sealed.file))
    await waitForLine(system, 'ended', { jobId, outcome: 'failed', code: 'resource.malformed' })
    assert.deepEqual(await resultsOf(system, sealed.headerDigest), [])
  })

test('a job in which three workers died does not run again', async () => {
  const sealed = await system.seal('exhausted')
  const ingesting = system.deployment.program('function')
  // The event waits while the test records three attempts, as workers that died would have done.
  ingesting?.kill('SIGSTOP')
  const jobId = jobIdOf(await system.upload(sealed.file))
  for (const number of [1, 2, 3]) await putState(claimName(jobId, 0, number), `${'a'.repeat(26)}/${number}/x`)
  ingesting?.kill('SIGCONT')
  await waitForLine(system, 'ended', { jobId, outcome: 'failed', code: 'job.exhausted' })
  assert.equal((await deadLetters(system)).find((letter) => letter.jobId === jobId)?.code, 'job.exhausted')
  assert.deepEqual(await resultsOf(system, sealed.headerDigest), [])
})

test('an event that is delivered three times becomes one job', async () => {
  const sealed = await system.seal('repeated')
  await system.deployment.control.arm({
    service: 'events',
    match: { path: sealed.object },
    duplicateEvent: 2,
    times: 1,
  })
  const jobId = jobIdOf(await system.upload(sealed.file))
  const repeated = () => system.linesOf('function').filter(({ outcome }) => outcome === 'repeated').length
  await until(system, 'the event is not repeated', async () => repeated() === 2)
  await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
  assert.equal(await timesPublished(system, jobId), 1)
})

test('a job that is published twice has one result, and its second run is superseded', async () => {
  const sealed = await system.seal('twice')
  // The function cannot record the published job, so OCI delivers the event again. 4 is the number of tries
  // per call.
  const record = { method: 'PUT', path: '/b/ingest/' }
  await system.deployment.control.arm({ service: 'objectstorage', match: record, status: 503, times: 4 })
  const jobId = jobIdOf(await system.upload(sealed.file))
  await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
  await waitForLine(system, 'ended', { jobId, outcome: 'superseded' })
  assert.equal(await timesPublished(system, jobId), 2)
  assert.equal((await resultsOf(system, sealed.headerDigest)).length, 1)
})

test('refused content is quoted in no log, error, metric or evidence', async () => {
  const { deployment } = system
  await audit(system)
  await copyMetrics(deployment, [...WORKERS, 'verifier'])
  const words = wordCanaries([CANARY, ...Object.values(POPULATION_CANARIES).flat()])
  const { found, files } = await findCanaries(deployment.folders.root, words, [])
  assert.deepEqual(found, [])
  assert.ok(files > 50, `${files} files were searched`)
})

test('after SIGTERM a worker finishes its job, closes its log and exits with 0', async () => {
  const sealed = await system.seal('drained')
  const match = { method: 'PUT', path: '/b/results/' }
  await system.deployment.control.arm({ service: 'objectstorage', match, latencyMs: 1500, times: 1 })
  const jobId = jobIdOf(await system.upload(sealed.file))
  await until(
    system,
    'no worker writes a result',
    async () => (await system.deployment.control.armed()).length === 0,
  )
  const boots = WORKERS.map((name) => bootOf(system, name))
  for (const ending of await Promise.all(WORKERS.map((name) => system.deployment.program(name)?.stop())))
    assert.deepEqual(ending, { code: 0, signal: null })
  await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
  assert.equal((await resultsOf(system, sealed.headerDigest)).length, 1)

  const { logs } = await audit(system)
  for (const boot of boots) assert.equal(logs.find((log) => log.boot === boot)?.status, 'closed')
  await auditByCommand(system)
})

/** Its first attempt is so old that the worker waits no longer for what may have been only a moment. */
async function takenUpLongAgo(jobId: string): Promise<void> {
  await putState(claimName(jobId, 0, 1), `${'a'.repeat(26)}/1/x`)
  await putState(endName(jobId, 0, 1), 'again service.missing')
}

async function putState(name: string, text: string): Promise<void> {
  const state = { namespace: 'research', bucket: 'worker-state' }
  await worker.objectStore().create({ ...state, name }, Buffer.from(text))
}

async function put(name: string) {
  return await system.upload((await system.seal(name)).file)
}

function jobOf(object: string, etag: string, bucket = OUTBOX.bucket): Job {
  const place = { ...OUTBOX, bucket, object, etag }
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
