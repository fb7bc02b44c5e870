/**
 * Sets: three files that are one question. They have one result, as one file would, and no part of them is
 * released by itself.
 */
import assert from 'node:assert/strict'
import { mkdir, open as openFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { MINIMUM_CELL } from '#cli/policy/form.ts'
import { type Job, JobFormat, jobIdOf } from '#core/job/job.ts'
import type { ReleaseAnswer, ReleaseJob } from '#core/release/request.ts'
import { memberName } from '#core/sealed/set.ts'
import { PROVIDER, STREAMS } from '#lab/demo/names.ts'
import { type Consumer, openConsumer, refusalCode } from './consumer.ts'
import { deadLetters, timesPublished } from './streamMessages.ts'
import {
  audit,
  ociOfProgram,
  resultsOf,
  type SystemUnderTest,
  startSystem,
  waitForLine,
} from './systemUnderTest.ts'

const OUTBOX = { namespace: PROVIDER.namespace, bucket: 'outbox' }
const ASTHMA = '195967001'
const HYPERTENSION = '38341003'
/** Too few persons in each file, enough in all three. */
const PERSONS = Math.ceil(MINIMUM_CELL / 2)
const conditions = (code: string, persons: readonly string[]) =>
  persons.map((person) =>
    JSON.stringify({
      resourceType: 'Condition',
      subject: { reference: `Patient/${person}` },
      code: { coding: [{ system: 'http://snomed.info/sct', code }] },
    }),
  )
const FILES = ['a', 'b', 'c'].map((file) => {
  const persons = Array.from({ length: PERSONS }, (_, index) => `${file}${index}`)
  // Few persons have the rare one, though each file names three.
  return [...conditions(ASTHMA, persons), ...conditions(HYPERTENSION, ['x', 'y', file])].join('\n')
})

type SealedSet = {
  readonly folder: string
  readonly set: string
  readonly members: readonly {
    readonly file: string
    readonly sealId: string
    readonly headerDigest: string
  }[]
}

let system: SystemUnderTest
/** The consumer's own machine, which he may ask with as he likes. */
let consumer: Consumer
/** A good set and its job. */
let good: SealedSet
let job: Job
before(async () => {
  system = await startSystem({ workers: 1, spareWorkers: 1 })
  consumer = await openConsumer(system)
})
after(async () => {
  await consumer?.close()
  await system?.close()
})

test('three files of a set have one result: that of one file with all their lines', async () => {
  good = await sealSet('whole')
  job = await upload(good)
  const { line } = await waitForLine(system, 'ended', { jobId: job.jobId, outcome: 'visible' })
  const whole = await open(String(line['detail']), 'whole')
  assert.deepEqual(await openSingle('concatenated', FILES.join('\n')), whole)

  const [cell, ...others] = whole.table
  assert.deepEqual([cell?.code, cell?.count, others], [ASTHMA, 3 * PERSONS, []])
  // In each file alone, the cell is small.
  assert.deepEqual((await openSingle('part', String(FILES[0]))).table, [])

  for (const { headerDigest } of good.members) {
    const [manifest, ...more] = await resultsOf(system, headerDigest)
    assert.deepEqual(more, [])
    assert.deepEqual(
      manifest?.headerDigests,
      good.members.map((member) => member.headerDigest),
    )
  }
})

test('the members make no job, and the record makes one', async () => {
  assert.equal(await timesPublished(system, job.jobId), 1)
  for (const member of await memberJobs(good)) assert.equal(await timesPublished(system, member.jobId), 0)
})

test('a message about a member is set aside: the Verifier does not release it alone', async () => {
  const [member] = await memberJobs(good)
  assert.ok(member !== undefined)
  const ingest = await ociOfProgram(system, 'function')
  try {
    await ingest.streamProducer({ streamId: STREAMS.jobs }).publish(member.jobId, JobFormat.encode(member))
  } finally {
    ingest.close()
  }
  await waitForLine(system, 'ended', { jobId: member.jobId, code: 'set.incomplete', outcome: 'refused' })
  const letters = await deadLetters(system)
  assert.deepEqual(
    letters.filter(({ jobId }) => jobId === member.jobId).map(({ code }) => code),
    ['set.incomplete'],
  )
})

test('a set with one damaged member has no result', async () => {
  const sealed = await sealSet('damaged')
  const last = sealed.members.at(-1)
  assert.ok(last !== undefined)
  const file = await openFile(last.file, 'r+')
  const { size } = await file.stat()
  await file.write(Buffer.alloc(1), 0, 1, size - 1)
  await file.close()
  const { jobId } = await upload(sealed)
  // Its bytes are read once more after ten seconds, in another attempt.
  await waitForLine(system, 'ended', { jobId, outcome: 'returned' })
  await waitForLine(system, 'ended', { jobId, code: 'object.unopened', outcome: 'failed' })
  for (const { headerDigest } of sealed.members) assert.deepEqual(await resultsOf(system, headerDigest), [])
})

test('the evidence of all this is intact', async () => {
  await audit(system)
})

// By a boot without a log, which an audit reports from here on.
test('his own request on an approved machine gets a set as a whole, or nothing', async () => {
  const whole = await consumer.jobOf(job)
  const other = await consumer.jobOf(await upload(await sealSet('another')))
  const [a, b, c] = whole.objects
  const [foreign] = other.objects
  assert.ok(a !== undefined && b !== undefined && c !== undefined && foreign !== undefined)
  const withRecord = (...objects: ReleaseJob['objects']): ReleaseJob => ({ ...whole, objects })
  const { traceparent } = whole
  const asked: readonly (readonly [string, ReleaseJob])[] = [
    ['a member alone', { traceparent, objects: [a] }],
    ['a member alone, with the record', withRecord(a)],
    ['all members without the record', { traceparent, objects: [a, b, c] }],
    ['one missing', withRecord(a, b)],
    ['one doubled', withRecord(a, b, b, c)],
    ['one in the place of another', withRecord(a, a, c)],
    ['a foreign one', withRecord(a, b, foreign)],
    ['one more', withRecord(a, b, c, foreign)],
    ['another order', withRecord(c, b, a)],
    ['the record of another set', { ...other, objects: whole.objects }],
  ]
  const response = await consumer.ask(asked.map(([, job]) => job))
  assert.ok('answers' in response)
  for (const [index, [what]] of asked.entries()) {
    const answer: ReleaseAnswer | undefined = response.answers[index]
    assert.ok(answer !== undefined && 'refusal' in answer, what)
    assert.equal(refusalCode(answer), 'set.incomplete', what)
  }
})

/** As the hospital does it, by the command line. */
async function sealSet(name: string): Promise<SealedSet> {
  const { command, configOf, folders } = system.deployment
  const files = join(folders.config, name)
  await mkdir(files)
  for (const [index, content] of FILES.entries()) await writeFile(join(files, `${index}.ndjson`), content)
  return JSON.parse(await command(['seal', '--set', files, '--config', configOf('seal'), '--json']))
}

/** The job that the set record makes. */
async function upload({ folder, set }: SealedSet): Promise<Job> {
  const { command, configOf } = system.deployment
  await command(['upload', folder, '--config', configOf('seal'), '--json'])
  return await jobAt(set)
}

function memberJobs({ set, members }: SealedSet): Promise<readonly Job[]> {
  return Promise.all(members.map(({ sealId }) => jobAt(memberName(set, sealId))))
}

async function jobAt(object: string): Promise<Job> {
  const { etag, size } = await system.sealer.objectStore().head({ ...OUTBOX, name: object })
  const place = { ...OUTBOX, object, etag }
  const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`
  return {
    v: 1,
    jobId: jobIdOf(place),
    eventId: 'e',
    ...place,
    size,
    traceparent,
    enqueuedAt: 0,
    notBefore: 0,
  }
}

async function openSingle(name: string, lines: string) {
  const { file } = await system.seal(name, { lines })
  const { object, etag } = await system.upload(file)
  const jobId = jobIdOf({ ...OUTBOX, object, etag })
  const { line } = await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
  return await open(String(line['detail']), name)
}

/** As the researcher reads it. */
async function open(resultId: string, name: string) {
  const { command, configOf, folders } = system.deployment
  const out = join(folders.config, `${name}.json`)
  await command(['open', resultId, '--config', configOf('open'), '--out', out, '--json'])
  return JSON.parse(await readFile(out, 'utf8'))
}
