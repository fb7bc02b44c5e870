import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Emulator } from '#lab/emulator/emulator.ts'
import { objectStorageOf, userProvider } from './clients.ts'
import {
  compartment,
  emulatorFor,
  id,
  PROVIDER,
  PROVIDER_NAMESPACE,
  temporaryFolder,
  testConfig,
} from './testEmulator.ts'

type Delivery = {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly event: Record<string, unknown>
}

/** Listens as a function's FDK does. Answers with the given statuses in turn, then with 200. */
async function functionFor(t: TestContext, socket: string, statuses: readonly number[] = []) {
  const left = [...statuses]
  const deliveries: Delivery[] = []
  const waiting: (() => void)[] = []
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    deliveries.push({
      url: `${request.method} ${request.url}`,
      headers: request.headers,
      event: JSON.parse(Buffer.concat(chunks).toString()),
    })
    response.writeHead(left.shift() ?? 200, { 'content-type': 'text/plain' }).end('done')
    for (const wake of waiting.splice(0)) wake()
  })
  await new Promise<void>((done) => server.listen(socket, done))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const received = async (count: number): Promise<readonly Delivery[]> => {
    while (deliveries.length < count) await new Promise<void>((wake) => waiting.push(wake))
    return deliveries
  }
  return { received }
}

async function put(emulator: Emulator, objectName: string): Promise<string> {
  const sealer = objectStorageOf(emulator, userProvider(PROVIDER, 'sealer'))
  const { eTag } = await sealer.putObject({
    namespaceName: PROVIDER_NAMESPACE,
    bucketName: 'outbox',
    objectName,
    contentLength: 1,
    putObjectBody: Buffer.from('x'),
  })
  return eTag
}

async function undelivered(emulator: Emulator): Promise<number> {
  const state = (await (await fetch(`${emulator.endpoint}/emulator/state`)).json()) as {
    undeliveredEvents: number
  }
  return state.undeliveredEvents
}

test('a created object reaches the function as a CloudEvent over the Fn contract', async (t) => {
  const socket = join(await temporaryFolder(t), 'lsnr.sock')
  const { received } = await functionFor(t, socket)
  const emulator = await emulatorFor(t, testConfig({ socket }))
  const eTag = await put(emulator, 'one')
  const [delivery] = await received(1)
  assert.ok(delivery)
  assert.equal(delivery.url, 'POST /call')
  assert.equal(delivery.headers['content-type'], 'application/json')
  assert.match(delivery.headers['fn-call-id'] as string, /^[0-9A-Z]{26}$/)
  assert.ok(Date.parse(delivery.headers['fn-deadline'] as string) > Date.now())
  const { eventID, eventTime, ...event } = delivery.event
  assert.match(String(eventID), /^[0-9a-f-]{36}$/)
  assert.equal(new Date(String(eventTime)).toISOString(), eventTime)
  const compartmentId = compartment(PROVIDER, 'data')
  assert.deepEqual(event, {
    cloudEventsVersion: '0.1',
    eventType: 'com.oraclecloud.objectstorage.createobject',
    source: 'ObjectStorage',
    eventTypeVersion: '2.0',
    contentType: 'application/json',
    extensions: { compartmentId },
    data: {
      compartmentId,
      compartmentName: 'data',
      resourceName: 'one',
      resourceId: `/n/${PROVIDER_NAMESPACE}/b/outbox/o/one`,
      availabilityDomain: 'all',
      additionalDetails: {
        eTag,
        namespace: PROVIDER_NAMESPACE,
        bucketName: 'outbox',
        bucketId: id('bucket', 'outbox'),
        archivalState: 'Available',
      },
    },
  })
})

test('an event is delivered again, unchanged, if the function fails', async (t) => {
  const socket = join(await temporaryFolder(t), 'lsnr.sock')
  const { received } = await functionFor(t, socket, [502, 500])
  const emulator = await emulatorFor(t, testConfig({ socket }))
  await put(emulator, 'one')
  const events = (await received(3)).map(({ event }) => event)
  assert.deepEqual(events[1], events[0])
  assert.deepEqual(events[2], events[0])
})

test('an undelivered event survives a restart', async (t) => {
  const folder = await temporaryFolder(t)
  const socket = join(await temporaryFolder(t), 'lsnr.sock')
  const config = testConfig({ socket })
  const first = await emulatorFor(t, config, { folder })
  await put(first, 'one')
  assert.equal(await undelivered(first), 1)
  await first.close()
  const { received } = await functionFor(t, socket)
  const second = await emulatorFor(t, config, { folder })
  const [delivery] = await received(1)
  assert.ok(delivery)
  assert.equal((delivery.event['data'] as { resourceName: string }).resourceName, 'one')
  await second.close()
  const third = await emulatorFor(t, config, { folder })
  assert.equal(await undelivered(third), 0)
})

test('the fault duplicateEvent delivers an event twice', async (t) => {
  const socket = join(await temporaryFolder(t), 'lsnr.sock')
  const { received } = await functionFor(t, socket)
  const emulator = await emulatorFor(t, testConfig({ socket }))
  const fault = { service: 'events', match: { path: 'two' }, duplicateEvent: 1, times: 1 }
  await fetch(`${emulator.endpoint}/emulator/faults`, { method: 'POST', body: JSON.stringify(fault) })
  await put(emulator, 'one')
  await received(1)
  await put(emulator, 'two')
  const events = (await received(3)).map(({ event }) => event)
  assert.deepEqual(events[2], events[1])
  assert.notDeepEqual(events[1], events[0])
})

test('the deployed rule lets through every seal id and set id, and no member of a set', async (t) => {
  const condition = JSON.parse(
    readFileSync(new URL('../../../infra/events/outbox.json', import.meta.url), 'utf8'),
  )
  const socket = join(await temporaryFolder(t), 'lsnr.sock')
  const fn = await functionFor(t, socket)
  const config = testConfig({ socket })
  const eventRules = config.eventRules.map((rule) => ({ ...rule, condition }))
  const emulator = await emulatorFor(t, { ...config, eventRules })
  const ids = [...'0123456789abcdef'].map((digit) => digit.repeat(32))
  for (const id of ids) {
    await put(emulator, `set/${id}/${id}`)
    await put(emulator, id)
  }
  const names = (await fn.received(ids.length)).map(({ event }) => Object(event['data']).resourceName)
  assert.deepEqual(names.toSorted(), ids)
})
