import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createOci } from '#adapters/oci/clients.ts'
import { OciConfig } from '#adapters/oci/config.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { IngestDecisionFormat } from '#core/job/decision.ts'
import { type Job, JobFormat, jobIdOf } from '#core/job/job.ts'
import type { Emulator } from '#lab/emulator/emulator.ts'
import type { StreamLease } from '#ports/jobStream.ts'
import { objectStorageOf, userProvider } from '../lab/emulator/clients.ts'
import {
  CONSUMER_NAMESPACE,
  emulatorFor,
  id,
  PROVIDER,
  PROVIDER_NAMESPACE,
  temporaryFolder,
  testConfig,
} from '../lab/emulator/testEmulator.ts'
import { configOf, startFunction } from './functionProcess.ts'

const OUTBOX = { namespaceName: PROVIDER_NAMESPACE, bucketName: 'outbox' }

async function put(emulator: Emulator, objectName: string, size = 500): Promise<string> {
  const sealer = objectStorageOf(emulator, userProvider(PROVIDER, 'sealer'))
  const put = { ...OUTBOX, objectName, contentLength: size, putObjectBody: randomBytes(size) }
  return (await sealer.putObject(put)).eTag
}

async function arm(emulator: Emulator, fault: object): Promise<void> {
  await fetch(`${emulator.endpoint}/emulator/faults`, { method: 'POST', body: JSON.stringify(fault) })
}

/** Jobs as a worker gets them. */
async function jobsOf(
  t: TestContext,
  emulator: Emulator,
): Promise<{ take: (count: number) => Promise<Job[]> }> {
  const oci = createOci(
    OciConfig.parse({
      principal: {
        kind: 'instance',
        metadataUrl: emulator.imds[id('instance', 'worker-1')],
        federationUrl: emulator.endpoint,
      },
      endpoints: { streaming: emulator.endpoint },
    }),
    { allowPlainHttp: true, clock: systemClock },
  )
  t.after(() => oci.close())
  let lease: StreamLease | undefined
  return {
    take: async (count) => {
      lease ??= await oci
        .streamConsumer({ streamId: id('stream', 'jobs'), group: 'test', instance: 'one' })
        .join()
      const jobs: Job[] = []
      while (jobs.length < count)
        for (const { value } of await lease.get(100)) jobs.push(JobFormat.decode(value))
      return jobs
    },
  }
}

async function decisionsOf(emulator: Emulator) {
  const auditor = objectStorageOf(emulator, userProvider(PROVIDER, 'auditor'))
  const ingest = { namespaceName: CONSUMER_NAMESPACE, bucketName: 'ingest' }
  const { listObjects } = await auditor.listObjects(ingest)
  const decisions = []
  for (const { name } of listObjects.objects) {
    const { value } = await auditor.getObject({ ...ingest, objectName: name })
    const chunks: Uint8Array[] = []
    for await (const chunk of value as unknown as AsyncIterable<Uint8Array>) chunks.push(chunk)
    decisions.push({ name, ...IngestDecisionFormat.decode(Buffer.concat(chunks)) })
  }
  return decisions
}

function eventOf(
  objectName: string,
  eTag: string,
  change: (event: Record<string, unknown>) => void = () => {},
) {
  const event = {
    cloudEventsVersion: '0.1',
    eventID: `event-${objectName}`,
    eventType: 'com.oraclecloud.objectstorage.createobject',
    source: 'objectstorage',
    eventTypeVersion: '2.0',
    eventTime: '2026-01-10T21:19:24.000Z',
    contentType: 'application/json',
    extensions: { compartmentId: 'ocid1.compartment.oc1..x' },
    data: {
      compartmentId: 'ocid1.compartment.oc1..x',
      compartmentName: 'data',
      resourceName: objectName,
      resourceId: `/n/${PROVIDER_NAMESPACE}/b/outbox/o/${objectName}`,
      availabilityDomain: 'all',
      additionalDetails: {
        eTag,
        namespace: PROVIDER_NAMESPACE,
        bucketName: 'outbox',
        bucketId: 'ocid1.bucket.oc1..x',
        archivalState: 'Available',
      },
    },
  }
  change(event)
  return JSON.stringify(event)
}

async function world(t: TestContext) {
  const socket = join(await temporaryFolder(t), 'lsnr.sock')
  // Without rules, only the test calls the function.
  const emulator = await emulatorFor(t, testConfig({ socket, change: (w) => w.eventRules.splice(0) }))
  const ingest = await startFunction(t, socket, emulator, configOf(emulator.endpoint))
  return { socket, emulator, ingest }
}

test('a put becomes an event, the event a job on the stream, and the decision a record', async (t) => {
  const socket = join(await temporaryFolder(t), 'lsnr.sock')
  const emulator = await emulatorFor(t, testConfig({ socket }))
  const ingest = await startFunction(t, socket, emulator, configOf(emulator.endpoint))
  const object = randomBytes(16).toString('hex')
  const etag = await put(emulator, object, 700)
  const [job] = await (await jobsOf(t, emulator)).take(1)
  assert.ok(job)
  const place = { namespace: PROVIDER_NAMESPACE, bucket: 'outbox', object, etag }
  const { eventId, traceparent, enqueuedAt, ...rest } = job
  assert.deepEqual(rest, { v: 1, jobId: jobIdOf(place), ...place, size: 700, notBefore: 0 })
  assert.match(eventId, /^[0-9a-f-]{36}$/)
  assert.match(traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  assert.ok(Math.abs(enqueuedAt - Date.now() / 1000) < 60)
  assert.equal(await ingest.stop(), 0)
  const [decision, ...others] = await decisionsOf(emulator)
  assert.deepEqual(others, [])
  assert.match(decision?.name ?? '', /^decision\/[0-9a-f]{64}$/)
  assert.deepEqual(decision?.outcome, { kind: 'published', jobId: job.jobId, object, etag, traceparent })
  assert.equal(ingest.log.at(-1)?.['msg'], 'stopping')
})

test('a repeated event makes no second job', async (t) => {
  const { emulator, ingest } = await world(t)
  const event = eventOf('one', await put(emulator, 'one'))
  const first = await ingest.call(event)
  assert.equal(first.status, 200)
  assert.deepEqual(await ingest.call(event), { status: 200, body: { outcome: 'repeated' } })
  const second = await ingest.call(eventOf('two', await put(emulator, 'two')))
  const jobs = await (await jobsOf(t, emulator)).take(2)
  assert.deepEqual(
    jobs.map(({ jobId }) => jobId).sort(),
    [first.body, second.body].map((body) => (body as { jobId: string }).jobId).sort(),
  )
})

test('an event that can never be a job is refused with its code and recorded', async (t) => {
  const { emulator, ingest } = await world(t)
  const etag = await put(emulator, 'one')
  const tiny = await put(emulator, 'tiny', 100)
  const member = await put(emulator, 'set/a/b')
  const shouting = await put(emulator, 'Jane-Doe.ndjson')
  type Event = { data: { additionalDetails: Record<string, unknown> } & Record<string, unknown> } & Record<
    string,
    unknown
  >
  const changed = (change: (event: Event) => void, name = 'one') =>
    eventOf(name, etag, (event) => change(event as Event))
  const cases: readonly (readonly [string, string, string])[] = [
    ['no JSON', '{"a":', 'event.malformed'],
    ['too large', ' '.repeat(16 * 1024 + 1), 'event.malformed'],
    [
      'an overwritten object',
      changed((e) => Object.assign(e, { eventType: String(e['eventType']).replace('create', 'update') })),
      'event.malformed',
    ],
    [
      'another bucket',
      changed((e) => Object.assign(e.data.additionalDetails, { bucketName: 'governance' })),
      'event.unauthorised',
    ],
    [
      'another namespace',
      changed((e) => Object.assign(e.data.additionalDetails, { namespace: CONSUMER_NAMESPACE })),
      'event.unauthorised',
    ],
    ['a name that says something', eventOf('Jane-Doe.ndjson', shouting), 'event.unauthorised'],
    ['a member of a set', eventOf('set/a/b', member), 'event.of-member'],
    ['a version that is gone', eventOf('one', 'another-etag'), 'object.changed'],
    ['too small for a sealed object', eventOf('tiny', tiny), 'object.malformed'],
  ]
  for (const [name, body, code] of cases) {
    // Each case is an event of its own.
    const event = body.replace(/"eventID":"[^"]*"/, `"eventID":"${name.replaceAll(' ', '-')}"`)
    assert.deepEqual(await ingest.call(event), { status: 200, body: { outcome: 'refused', code } }, name)
    assert.deepEqual(await ingest.call(event), { status: 200, body: { outcome: 'repeated' } }, name)
  }
  const outcomes = (await decisionsOf(emulator)).map(({ outcome }) => outcome)
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.kind === 'refused' ? outcome.code : outcome.kind)).sort(),
    cases.map(([, , code]) => code).sort(),
  )
  assert.doesNotMatch(ingest.text() + JSON.stringify(outcomes), /Jane/)
})

test('while a service is down the event is postponed without a reason; afterwards it succeeds', async (t) => {
  const { emulator, ingest } = await world(t)
  const event = eventOf('one', await put(emulator, 'one'))
  for (const service of ['objectstorage', 'streaming']) {
    await arm(emulator, { service, status: 503, code: 'Down', times: 20 })
    const { status, body } = await ingest.call(event)
    assert.equal(status, 502)
    assert.deepEqual((body as { detail: string }).detail, 'Error: try again')
    await fetch(`${emulator.endpoint}/emulator/faults`, { method: 'DELETE' })
  }
  assert.deepEqual(await decisionsOf(emulator), [])
  assert.equal((await ingest.call(event)).status, 200)
  assert.equal((await (await jobsOf(t, emulator)).take(1)).length, 1)
  assert.deepEqual(
    ingest.log.filter(({ msg }) => msg === 'event.postponed').map(({ code }) => code),
    ['service.unavailable', 'service.unavailable'],
  )
})

test('an invisible object postpones the event: its policy may not be active yet', async (t) => {
  const { ingest } = await world(t)
  assert.equal((await ingest.call(eventOf('absent', 'etag'))).status, 502)
})

test('if the answer to a record is lost, the event is decided again, with the same job', async (t) => {
  const { emulator, ingest } = await world(t)
  const event = eventOf('one', await put(emulator, 'one'))
  // Each attempt to write the record is cut off after it was served: the record exists, unknown to the
  // function.
  await arm(emulator, {
    service: 'objectstorage',
    match: { method: 'PUT', path: '/ingest/' },
    reset: 'after',
    times: 1,
  })
  const { status, body } = await ingest.call(event)
  assert.equal(status, 200)
  assert.deepEqual((await ingest.call(event)).body, { outcome: 'repeated' })
  const jobs = await (await jobsOf(t, emulator)).take(1)
  assert.deepEqual(
    jobs.map(({ jobId }) => jobId),
    [(body as { jobId: string }).jobId],
  )
})

test('a killed function starts again over its own socket', async (t) => {
  const { socket, emulator, ingest } = await world(t)
  await ingest.kill()
  const again = await startFunction(t, socket, emulator, configOf(emulator.endpoint))
  assert.equal((await again.call('{}')).status, 200)
})

const WRONG: readonly (readonly [string, (config: Record<string, unknown>) => void])[] = [
  ['an unknown field', (config) => Object.assign(config, { extra: 1 })],
  ['no allowed bucket', (config) => Object.assign(config, { allowed: [] })],
  ['plain http outside simulation', (config) => Object.assign(config, { simulation: false })],
]
for (const [name, change] of WRONG)
  test(`a configuration with ${name} ends with 78`, async (t) => {
    const config = configOf('http://127.0.0.1:1')
    change(config as Record<string, unknown>)
    const socket = join(await temporaryFolder(t), 'lsnr.sock')
    await assert.rejects(startFunction(t, socket, { functions: {} }, config), /ended with 78/)
  })

test('without CW_CONFIG it ends with 78', async () => {
  const main = fileURLToPath(new URL('../../src/function/main.ts', import.meta.url))
  const child = spawn(process.execPath, [main], { stdio: 'ignore', env: {} })
  assert.deepEqual(await once(child, 'exit'), [78, null])
})
