/**
 * Whoever may write to the jobs stream, against a real worker: messages that lie about an object, and a flood of
 * garbage. A message is only a hint, so a lie changes no result and keeps no other job from its own.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { Oci } from '#adapters/oci/clients.ts'
import { toHex, utf8 } from '#core/bytes.ts'
import { type Job, JobFormat, jobIdOf } from '#core/job/job.ts'
import { STREAMS } from '#lab/demo/names.ts'
import { deadLetters } from './streamMessages.ts'
import {
  audit,
  ociOfProgram,
  resultsOf,
  type SystemUnderTest,
  startSystem,
  until,
  waitForLine,
} from './systemUnderTest.ts'

const NEXT_CENTURY = 4_102_444_800
const FLOOD = 200
const AT_ONCE = 10

let system: SystemUnderTest
/** OCI with the rights of the ingest function. */
let writer: Oci
before(async () => {
  system = await startSystem({ workers: 1 })
  writer = await ociOfProgram(system, 'function')
})
after(async () => {
  writer?.close()
  await system?.close()
})

const publish = (key: string, message: Uint8Array) =>
  writer.streamProducer({ streamId: STREAMS.jobs }).publish(key, message)

for (const { name, lie, honest } of [
  {
    name: 'size, event, trace and time of writing',
    lie: (job) => ({
      ...job,
      size: 0,
      eventId: 'of-no-event',
      enqueuedAt: NEXT_CENTURY,
      traceparent: `00-${toHex(randomBytes(16))}-${toHex(randomBytes(8))}-01`,
    }),
    honest: 'superseded',
  },
  {
    name: 'a start in the next century',
    lie: (job) => ({ ...job, notBefore: NEXT_CENTURY }),
    honest: 'superseded',
  },
  {
    name: 'another place for the result',
    lie: (job) => ({ ...job, recipient: 'ocid1.key.oc1..attacker', results: 'attacker' }),
    honest: 'visible',
  },
  {
    name: 'the id of a job that it is not',
    lie: (job) => ({ ...job, object: 'governance' }),
    honest: 'visible',
  },
] satisfies readonly {
  readonly name: string
  readonly lie: (job: Job) => object
  readonly honest: 'visible' | 'superseded'
}[])
  test(`a message that lies: ${name}`, async () => {
    const sealed = await system.seal(name.replaceAll(/\W+/g, '-'))
    const ingesting = system.deployment.program('function')
    // The lie is on the stream before the job that the function writes.
    ingesting?.kill('SIGSTOP')
    const { namespace, bucket, object, etag } = await system.upload(sealed.file)
    const place = { namespace, bucket, object, etag }
    const job: Job = {
      v: 1,
      jobId: jobIdOf(place),
      eventId: 'by-hand',
      ...place,
      size: 5000,
      traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
      enqueuedAt: 1,
      notBefore: 0,
    }
    const { jobId } = job
    const letters = (await deadLetters(system)).length
    const message = utf8(JSON.stringify(lie(job)))
    // What a lie can say within the format is in canonical form, too.
    await publish(jobId, honest === 'visible' ? message : JobFormat.encode(JSON.parse(message.toString())))
    if (honest === 'superseded') await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
    else {
      await until(system, 'no dead letter', async () => (await deadLetters(system)).length > letters)
      assert.equal((await deadLetters(system)).at(-1)?.code, 'job.malformed')
    }
    ingesting?.kill('SIGCONT')
    await waitForLine(system, 'ended', { jobId, outcome: honest })
    assert.equal((await resultsOf(system, sealed.headerDigest)).length, 1)
  })

test('a flood of garbage: a good object has its result', async () => {
  const letters = (await deadLetters(system)).length
  for (let sent = 0; sent < FLOOD; sent += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, () => publish(toHex(randomBytes(4)), randomBytes(600))))
  const sealed = await system.seal('after-the-flood')
  const jobId = jobIdOf(await system.upload(sealed.file))
  await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
  await until(
    system,
    'some have no dead letter',
    async () => (await deadLetters(system)).length === letters + FLOOD,
  )
  assert.equal((await resultsOf(system, sealed.headerDigest)).length, 1)
})

test('the evidence of all of it is intact', async () => {
  const { releases } = await audit(system)
  // One for each object: no lie has a key of its own.
  assert.equal(releases.filter(({ kind }) => kind === 'allowed').length, 5)
})
