/**
 * What must not get through, and must not hold up what is behind it: messages that are no jobs, jobs that lead nowhere,
 * objects that do not open, events that come twice. Each has its coded end, and a good job gets its result afterwards.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import type { Oci } from '#adapters/oci/clients.ts'
import { toBase64url, toHex } from '#core/bytes.ts'
import type { ErrorCode } from '#core/errors.ts'
import { type Job, JobFormat, jobIdOf } from '#core/job/job.ts'
import { keySigner } from '#core/jws.ts'
import { workerEntries } from '#lab/demo/counts.ts'
import { copyMetrics } from '#lab/demo/metrics.ts'
import { PROVIDER, STREAMS } from '#lab/demo/names.ts'
import { POPULATION_CANARIES } from '#lab/demo/population.ts'
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
/** Words of nobody's, where a patient's would stand. */
const CANARY = 'Quillfeather-Ombrose'
const WORKERS = ['worker-1', 'worker-2'] as const

let system: SystemUnderTest
/** The ingest function's and a worker's own rights, used by whoever broke into them. */
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

/** The stream has moved on: a good object put in now gets its one result. */
async function expectGoodJob(name: string): Promise<void> {
  const sealed = await system.seal(name)
  const jobId = jobIdOf(await system.upload(sealed.file))
  await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
  assert.equal((await resultsOf(system, sealed.headerDigest)).length, 1)
}

test('messages that are no jobs are set aside with their digest and code, and the stream moves on', async () => {
  const good = jobOf('absent', 'e1')
  const messages = [
    { what: 'a text', bytes: Buffer.from(CANARY), kept: true },
    { what: 'a name', bytes: Buffer.from(JSON.stringify({ ...good, [CANARY]: 1 })), kept: true },
    { what: 'random bytes', bytes: randomBytes(100), kept: true },
    { what: 'nothing', bytes: Buffer.from('{}'), kept: true },
    { what: 'an unknown field', bytes: Buffer.from(JSON.stringify({ ...good, more: 1 })), kept: true },
    { what: 'white space', bytes: Buffer.concat([JobFormat.encode(good), Buffer.from(' ')]), kept: true },
    {
      what: 'a path that climbs',
      bytes: Buffer.from(JSON.stringify({ ...good, bucket: '../x' })),
      kept: true,
    },
    { what: 'more than a job may have', bytes: Buffer.alloc(5000, '{'), kept: false },
    { what: 'as much as a message may have', bytes: randomBytes(500_000), kept: false },
  ]
  for (const { what, bytes } of messages) await publish(what, bytes)
  await until(
    system,
    'not all are set aside',
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

type BadObject = {
  readonly name: string
  readonly code: ErrorCode
  /** `failed` in the worker's hands; `refused` by the Verifier, before there was a key. */
  readonly outcome: 'failed' | 'refused'
  readonly make: () => Promise<{ readonly object: string; readonly bytes: Buffer }>
}

/** What the sealing host's role, or whoever has stolen it, can put into the outbox. */
const BAD_OBJECTS: readonly BadObject[] = [
  {
    name: 'no sealed object at all',
    code: 'object.malformed',
    outcome: 'failed',
    make: async () => ({ object: 'noise', bytes: randomBytes(5000) }),
  },
  {
    name: 'a header longer than the object',
    code: 'object.malformed',
    outcome: 'failed',
    make: async () => {
      const { object, bytes } = await goodObject()
      bytes.writeUInt32BE(4096, 8)
      return { object, bytes: bytes.subarray(0, 2000) }
    },
  },
  {
    name: 'a header in which one letter is changed',
    code: 'object.unsigned',
    outcome: 'refused',
    make: () => changedAt((headerEnd) => headerEnd - 5),
  },
  {
    name: 'a seal by a key that nobody knows',
    code: 'object.unsigned',
    outcome: 'refused',
    make: () => goodObject(keySigner(generateKeyPairSync('ed25519').privateKey)),
  },
  {
    name: 'an object under the name of another',
    code: 'object.misplaced',
    outcome: 'refused',
    make: async () => ({ object: toHex(randomBytes(16)), bytes: (await goodObject()).bytes }),
  },
  {
    name: 'a ciphertext that was cut',
    code: 'object.unopened',
    outcome: 'failed',
    make: async () => {
      const { object, bytes } = await goodObject()
      return { object, bytes: bytes.subarray(0, -1) }
    },
  },
  {
    name: 'a ciphertext in which one bit is changed',
    code: 'object.unopened',
    outcome: 'failed',
    make: () => changedAt((headerEnd) => headerEnd + 1000),
  },
  {
    name: 'a ciphertext with something behind it',
    code: 'object.unopened',
    outcome: 'failed',
    make: async () => {
      const { object, bytes } = await goodObject()
      return { object, bytes: Buffer.concat([bytes, Buffer.of(0)]) }
    },
  },
]

test('objects that must not be opened, or do not open: each has its code, its dead letter, and no result', async () => {
  const { sealer } = system
  const cases = await Promise.all(BAD_OBJECTS.map(async (bad) => ({ ...bad, ...(await bad.make()) })))
  const put = await Promise.all(
    cases.map(async ({ object, bytes }) => {
      const { etag } = await sealer.objectStore().create({ ...OUTBOX, name: object }, bytes)
      return jobIdOf({ ...OUTBOX, object, etag })
    }),
  )
  for (const [index, { name, code, outcome }] of cases.entries()) {
    const { line } = await waitForLine(system, 'ended', { jobId: put[index], code })
    assert.equal(line['outcome'], outcome, name)
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
  { name: 'an object that is not there', code: 'service.missing', job: async () => jobOf('absent', 'e1') },
  {
    name: 'an object that is another by now',
    code: 'object.changed',
    job: async () => jobOf((await put('changed')).object, 'older'),
  },
  {
    name: 'a bucket that is not the worker’s to read',
    code: 'service.missing',
    job: async () => ({ ...jobOf('policy/000000001', 'e1'), bucket: 'governance' }),
  },
] as const)
  test(`a job for ${name}: set aside as ${code}`, async () => {
    const made: Job = await job()
    await publish(made.jobId, JobFormat.encode(made))
    await waitForLine(system, 'ended', { jobId: made.jobId, outcome: 'failed', code })
    const letter = (await deadLetters(system)).find(({ jobId }) => jobId === made.jobId)
    assert.equal(letter?.code, code)
  })

for (const { name, lines } of [
  { name: 'a resource that breaks off', lines: `{"resourceType":"Patient","name":[{"family":"${CANARY}"` },
  { name: 'a line that is text', lines: `${CANARY}\n` },
  { name: 'a name that no resource has', lines: `{"resourceType":"${CANARY}","id":"1"}\n{"${CANARY}":1}\n` },
])
  test(`${name}: the job ends as resource.malformed`, async () => {
    const sealed = await system.seal(name.replaceAll(' ', '-'), { lines })
    const jobId = jobIdOf(await system.upload(sealed.file))
    await waitForLine(system, 'ended', { jobId, outcome: 'failed', code: 'resource.malformed' })
    assert.deepEqual(await resultsOf(system, sealed.headerDigest), [])
  })

test('a job that was tried three times is not run again', async () => {
  const sealed = await system.seal('exhausted')
  const ingesting = system.deployment.program('function')
  // The event waits while the attempts of workers that died are put down, as those workers would have done.
  ingesting?.kill('SIGSTOP')
  const jobId = jobIdOf(await system.upload(sealed.file))
  const state = { namespace: 'research', bucket: 'worker-state' }
  const boot = bootOf(system, 'worker-1')
  for (const attempt of [1, 2, 3])
    await worker.objectStore().create({ ...state, name: `attempt/${jobId}/${attempt}` }, Buffer.from(boot))
  ingesting?.kill('SIGCONT')
  await waitForLine(system, 'ended', { jobId, outcome: 'failed', code: 'job.exhausted' })
  assert.equal((await deadLetters(system)).find((letter) => letter.jobId === jobId)?.code, 'job.exhausted')
  assert.deepEqual(await resultsOf(system, sealed.headerDigest), [])
})

test('an event that comes three times is one job', async () => {
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

test('a job that is published twice has one result; its second run is superseded', async () => {
  const sealed = await system.seal('twice')
  // The function cannot record what it has published, so the event comes again: as often as a call is sent.
  const record = { method: 'PUT', path: '/b/ingest/' }
  await system.deployment.control.arm({ service: 'objectstorage', match: record, status: 503, times: 4 })
  const jobId = jobIdOf(await system.upload(sealed.file))
  await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
  await waitForLine(system, 'ended', { jobId, outcome: 'superseded' })
  assert.equal(await timesPublished(system, jobId), 2)
  assert.equal((await resultsOf(system, sealed.headerDigest)).length, 1)
})

test('what was refused is quoted nowhere: not in a log, an error, a metric, or the evidence', async () => {
  const { deployment } = system
  await audit(system)
  await copyMetrics(deployment, [...WORKERS, 'verifier'])
  const words = wordCanaries([CANARY, ...Object.values(POPULATION_CANARIES).flat()])
  const { found, files } = await findCanaries(deployment.folders.root, words, [])
  assert.deepEqual(found, [])
  assert.ok(files > 50, `${files} files were looked at`)
})

test('SIGTERM: the job in hand is finished, the log closed, the exit code 0', async () => {
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

async function goodObject(by = system.signer) {
  const sealed = await system.seal(toHex(randomBytes(8)), { by })
  return { object: sealed.object, bytes: await readFile(sealed.file) }
}

async function changedAt(position: (headerEnd: number) => number) {
  const { object, bytes } = await goodObject()
  const at = position(12 + bytes.readUInt32BE(8))
  // Another letter of the same alphabet: a header stays a text, a ciphertext is any bytes.
  bytes[at] = bytes[at] === 0x41 ? 0x42 : 0x41
  return { object, bytes }
}

async function put(name: string) {
  return await system.upload((await system.seal(name)).file)
}

function jobOf(object: string, etag: string): Job {
  const place = { ...OUTBOX, object, etag }
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
