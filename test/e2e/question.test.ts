/**
 * The consumer tries to choose the question: by configuration, by messages and by requests of his own. The same
 * objects under one permission have one result, and it says nothing about cells that it does not show.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { toHex, utf8 } from '#core/bytes.ts'
import { isRecordedName } from '#core/evidence/record.ts'
import { type Job, JobFormat, jobIdOf } from '#core/job/job.ts'
import { peekCompact } from '#core/jws.ts'
import { type Grant, GrantFormat } from '#core/release/grant.ts'
import { resultIdOfGrant } from '#core/release/resultId.ts'
import { messageOf, parseLine } from '#lab/demo/logLine.ts'
import { PROVIDER, SCOPES } from '#lab/demo/names.ts'
import { type Consumer, openConsumer, refusalCode } from './consumer.ts'
import { publishPolicy, withPermissions } from './governor.ts'
import { audit, resultsOf, type SystemUnderTest, startSystem, waitForLine } from './systemUnderTest.ts'

const RARE = 'hiv'
const DIAGNOSES: Readonly<Record<string, string>> = { hiv: '86406008', asthma: '195967001' }

let system: SystemUnderTest
let consumer: Consumer
before(async () => {
  system = await startSystem({ workers: 1, spareWorkers: 1 })
  consumer = await openConsumer(system)
})
after(async () => {
  await consumer?.close()
  await system?.close()
})

test('one person: whatever was found, the result is the same, byte for byte', async () => {
  const outputs = await Promise.all(
    Object.keys(DIAGNOSES).map(async (name) => open((await put(name)).resultId, name)),
  )
  assert.equal(outputs[0]?.toString(), outputs[1]?.toString())
  assert.deepEqual(JSON.parse(String(outputs[0])).table, [])
})

for (const scopes of [['system/Condition.rs?code=86406008'], SCOPES])
  test(`the configuration has no place for scopes: ${scopes[0]}`, async () => {
    const { job } = await put(RARE)
    const file = system.deployment.configOf('worker-2')
    const config = await readFile(file, 'utf8')
    const { client, ...rest } = JSON.parse(config)
    await writeFile(file, JSON.stringify({ ...rest, client: { ...client, scopes } }))
    try {
      const { exit } = await ask(job)
      assert.equal(exit, 78)
    } finally {
      await writeFile(file, config)
    }
  })

test('another configuration of what the report does not cover, and another message: the same result', async () => {
  const { job, resultId } = await put(RARE)
  const file = system.deployment.configOf('worker-2')
  const config = JSON.parse(await readFile(file, 'utf8'))
  await writeFile(file, JSON.stringify({ ...config, batch: { ...config.batch, concurrency: 1 } }))
  const traceparent = `00-${toHex(randomBytes(16))}-${toHex(randomBytes(8))}-01`
  const { exit, outcome } = await ask({ ...job, eventId: 'again', traceparent, size: 1, enqueuedAt: 1 })
  assert.equal(exit, 0)
  assert.deepEqual([outcome?.['outcome'], outcome?.['resultId']], ['superseded', resultId])
})

test('a worker for another purpose gets no key', async () => {
  const { job } = await put(RARE)
  const file = system.deployment.configOf('worker-2')
  const config = await readFile(file, 'utf8')
  const { trust, ...rest } = JSON.parse(config)
  await writeFile(file, JSON.stringify({ ...rest, trust: { ...trust, purpose: 'HMARKT' } }))
  try {
    const { exit, outcome } = await ask(job)
    assert.deepEqual([exit, outcome?.['code']], [1, 'trust.unknown'])
  } finally {
    await writeFile(file, config)
  }
})

for (const [what, scope, code] of [
  ['narrower', 'system/Condition.rs?code=86406008', 'scope.exceeded'],
  ['a part', String(SCOPES[0]), 'scope.exceeded'],
  ['wider', 'system/*.rs', 'scope.exceeded'],
  ['a text', 'John_Doe,born_1971-01-01', 'scope.invalid'],
  ['65', Array(65).fill('system/Patient.rs').join(' '), 'scope.invalid'],
] as const)
  test(`his own request on an approved machine for other scopes is refused: ${what}`, async () => {
    const { job } = await put(RARE)
    await assert.rejects(request(job, scope), new RegExp(code))
  })

test('the evidence of all this is intact', async () => {
  await audit(system)
})

// Granted to a boot without a log, which an audit reports from here on.
test('his own request names no scopes, or spells those of the permission as he likes: the same result', async () => {
  const { job, resultId } = await put(RARE)
  for (const scope of [undefined, [...SCOPES, ...SCOPES].reverse().join(' ')])
    assert.equal(resultIdOfGrant(await request(job, scope)), resultId)
})

test('a new policy with the same edition leads to the result that exists; only a new edition asks anew', async () => {
  const { job, resultId } = await put(RARE)
  const narrowed = ['system/Condition.rs?code=86406008']
  for (const [seq, edition, same] of [
    [2, 1, true],
    [3, 2, false],
  ] as const) {
    await publishPolicy(system, seq, (policy) =>
      withPermissions(policy, (permission) => [{ ...permission, edition, scopes: narrowed }]),
    )
    const { outcome } = await ask(job)
    assert.equal(outcome?.['outcome'], same ? 'superseded' : 'visible')
    assert.equal(outcome?.['resultId'] === resultId, same)
  }
})

test('there are two results, one for each edition, and the logs have no word of a scope', async () => {
  const { headerDigest } = await put(RARE)
  assert.equal((await resultsOf(system, headerDigest)).length, 2)
  const store = system.deployment.ociAs('auditor').objectStore()
  const log = { namespace: PROVIDER.namespace, bucket: 'evidence-verifier' }
  for await (const { name } of store.list(log, '')) {
    // The record has the terms as they are, for the auditor.
    if (isRecordedName(name)) continue
    const bytes = await store.readAll({ ...log, name }, 16 * 1024 * 1024)
    for (const word of ['86406008', 'John_Doe', 'system/']) assert.ok(!bytes.includes(utf8(word)), name)
  }
})

/** As the researcher reads it. */
async function open(resultId: string, name: string): Promise<Buffer> {
  const { command, configOf, folders } = system.deployment
  const out = join(folders.config, `${name}.json`)
  await command(['open', resultId, '--config', configOf('open'), '--out', out, '--json'])
  return await readFile(out)
}

type Put = { readonly job: Job; readonly headerDigest: string; readonly resultId: string }
const known = new Map<string, Promise<Put>>()

/** Seals and uploads one patient with one diagnosis, and waits for the pool's own result. Once per diagnosis. */
function put(name: string): Promise<Put> {
  const made = known.get(name) ?? putOnce(name)
  known.set(name, made)
  return made
}

async function putOnce(name: string): Promise<Put> {
  const condition = {
    resourceType: 'Condition',
    subject: { reference: 'Patient/one' },
    code: { coding: [{ system: 'http://snomed.info/sct', code: DIAGNOSES[name] }] },
  }
  const { file, headerDigest } = await system.seal(name, { lines: `${JSON.stringify(condition)}\n` })
  const { object, etag, size } = await system.upload(file)
  const place = { namespace: PROVIDER.namespace, bucket: 'outbox', object, etag }
  const jobId = jobIdOf(place)
  const line = await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
  const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`
  const job = { v: 1 as const, jobId, eventId: 'e', ...place, size, traceparent, enqueuedAt: 0, notBefore: 0 }
  return { job, headerDigest, resultId: String(line.line['detail']) }
}

/** `worker --job`, as the consumer may run it on his own machine. */
async function ask(job: Job) {
  const file = join(system.deployment.folders.config, 'question.job.json')
  await writeFile(file, JobFormat.encode(job))
  const { exit, stdout } = await system.deployment.runJob('worker-2', file)
  const lines = stdout.split('\n').map((text) => parseLine(text))
  return { exit, outcome: lines.find((line) => line !== undefined && messageOf(line) === undefined) }
}

/** A request of an approved machine with an assertion that the consumer's Vault signs, whatever it says. */
async function request(job: Job, scope: string | undefined): Promise<Grant> {
  const response = await consumer.ask([await consumer.jobOf(job)], scope)
  if ('refusal' in response) throw new Error(refusalCode(response))
  const [answer] = response.answers
  assert.ok(answer !== undefined && 'grant' in answer, JSON.stringify(answer))
  return peekCompact(GrantFormat, answer.grant, 'grant.invalid').payload
}
