/** Streaming on the wire, beyond what the port uses: exact errors, limits, cursors, and what stays over a restart. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type AuthenticationDetailsProvider, NoRetryConfigurationDetails } from 'oci-common'
import { StreamClient } from 'oci-streaming'
import type { EmulatorConfig } from '#lab/emulator/config.ts'
import { startEmulator } from '#lab/emulator/emulator.ts'
import { httpClientOf, instanceProvider } from './clients.ts'
import { CONSUMER, emulatorFor, id, temporaryFolder, testConfig } from './testEmulator.ts'

const STREAM = id('stream', 'jobs')
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const refused = (message: string) => ({ statusCode: 400, serviceCode: 'InvalidParameter', message })
const THROTTLED = { statusCode: 429, serviceCode: 'TooManyRequests' }
const INVALID_CURSOR = refused('The cursor is invalid. Create a new one.')
const UNRESERVED = refused('Trying to commit unreserved partition')
const OUTSIDE = refused('The cursor is outside the retention period and is now invalid.')

/** Two partitions, and workers that may do everything with streams. */
function streamWorld(): EmulatorConfig {
  return testConfig({
    change: (config) => {
      for (const stream of config.streams) if (stream.id === STREAM) stream.partitions = 2
      for (const policy of config.policies)
        if (policy.tenancyId === CONSUMER)
          policy.statements +=
            '\nAllow dynamic-group workers to {STREAM_READ, STREAM_CONSUME, STREAM_PRODUCE} in tenancy\n'
    },
  })
}

/** The clock stands still unless a test turns it; two minutes behind, since the clients sign with the real time. */
async function open(t: TestContext) {
  const start = Date.now() - 120_000
  const time = { now: start }
  const emulator = await emulatorFor(t, streamWorld(), { now: () => time.now })
  const provider = await instanceProvider(emulator, 'worker-1')
  return { time, ...streamOf(emulator.endpoint, provider) }
}

function streamOf(endpoint: string, provider: AuthenticationDetailsProvider) {
  const client = new StreamClient(
    { httpClient: httpClientOf(provider) },
    { retryConfiguration: NoRetryConfigurationDetails },
  )
  client.endpoint = endpoint
  const streamId = STREAM
  const put = async (...values: readonly string[]) => {
    const messages = values.map((value) => ({ key: base64(value), value: base64(value) }))
    return (await client.putMessages({ streamId, putMessagesDetails: { messages } })).putMessagesResult
  }
  const join = async (instanceName: string, more: object = {}): Promise<string> => {
    const createGroupCursorDetails = {
      type: 'TRIM_HORIZON' as never,
      groupName: 'g',
      instanceName,
      timeoutInMs: 10_000,
      commitOnGet: false,
      ...more,
    }
    return (await client.createGroupCursor({ streamId, createGroupCursorDetails })).cursor.value
  }
  const get = async (cursor: string, limit = 100) => {
    const answer = await client.getMessages({ streamId, cursor: encodeURIComponent(cursor), limit })
    const values = answer.items.map(({ value }) => Buffer.from(value, 'base64').toString())
    return { values, items: answer.items, next: answer.opcNextCursor }
  }
  const commit = async (cursor: string): Promise<string> =>
    (await client.consumerCommit({ streamId, cursor: encodeURIComponent(cursor) })).cursor.value
  const heartbeat = async (cursor: string): Promise<string> =>
    (await client.consumerHeartbeat({ streamId, cursor: encodeURIComponent(cursor) })).cursor.value
  const group = async () => (await client.getGroup({ streamId, groupName: 'g' })).group
  const single = async (details: object): Promise<string> => {
    const createCursorDetails = details as never
    return (await client.createCursor({ streamId, createCursorDetails })).cursor.value
  }
  return { client, put, join, get, commit, heartbeat, group, single }
}

/** Until nothing comes. */
async function readAll(stream: ReturnType<typeof streamOf>, cursor: string) {
  const values: string[] = []
  for (let next = cursor, empty = false; !empty; ) {
    const batch = await stream.get(next)
    values.push(...batch.values)
    next = batch.next
    empty = batch.values.length === 0
  }
  return values.sort()
}

const LETTERS = [...'abcdefgh']

test('a message has its partition, offset, key and time', async (t) => {
  const stream = await open(t)
  const { entries = [], failures } = await stream.put(...LETTERS)
  assert.equal(failures, 0)
  assert.deepEqual([...new Set(entries.map(({ partition }) => partition))].sort(), ['0', '1'])
  const cursor = await stream.single({ type: 'AT_OFFSET', partition: '0', offset: 0 })
  const { items } = await stream.get(cursor, 1)
  const at = entries.findIndex(({ partition, offset }) => partition === '0' && offset === 0)
  const text = base64(LETTERS[at] ?? '')
  const timestamp = new Date(stream.time.now).toISOString()
  assert.deepEqual(JSON.parse(JSON.stringify(items)), [
    { stream: 'jobs', partition: '0', key: text, value: text, offset: 0, timestamp },
  ])
})

test('a cursor starts where it says', async (t) => {
  const stream = await open(t)
  const putOne = async (value: string): Promise<void> => {
    const messages = [{ key: base64('one key'), value: base64(value) }]
    await stream.client.putMessages({ streamId: STREAM, putMessagesDetails: { messages } })
  }
  for (const value of ['0', '1', '2']) await putOne(value)
  stream.time.now += 1000
  const time = new Date(stream.time.now).toISOString()
  for (const value of ['3', '4']) await putOne(value)
  const { items } = await stream.get(await stream.join('i', { groupName: 'find' }))
  const partition = items[0]?.partition ?? ''
  for (const [start, expected] of [
    [{ type: 'TRIM_HORIZON' }, '01234'],
    [{ type: 'AT_OFFSET', offset: 2 }, '234'],
    [{ type: 'AFTER_OFFSET', offset: 2 }, '34'],
    [{ type: 'AT_TIME', time }, '34'],
    [{ type: 'LATEST' }, ''],
  ] as const) {
    stream.time.now += 1000
    const cursor = await stream.single({ ...start, partition })
    assert.equal((await readAll(stream, cursor)).join(''), expected, start.type)
  }
})

test('the group of an instance that falls silent goes on at the committed offset', async (t) => {
  const stream = await open(t)
  await stream.put(...LETTERS)
  const first = await stream.get(await stream.join('a'), 1)
  const committed = await stream.commit(first.next)
  const lost = await stream.get(committed)
  stream.time.now += 9999
  assert.deepEqual(
    (await stream.group()).reservations?.map(({ reservedInstance }) => reservedInstance),
    ['a', 'a'],
  )
  stream.time.now += 1
  assert.deepEqual(
    (await stream.group()).reservations?.map(({ reservedInstance }) => reservedInstance),
    [undefined, undefined],
  )
  const heir = await stream.join('b')
  assert.deepEqual(
    await readAll(stream, heir),
    LETTERS.filter((letter) => letter !== first.values[0]),
  )
  await assert.rejects(stream.commit(lost.next), UNRESERVED)
  // A heartbeat of whoever has lost its place answers, and brings nothing back.
  const late = await stream.heartbeat(lost.next)
  await assert.rejects(stream.commit(late), UNRESERVED)
})

test('a newcomer gets its share when the one who has too much calls', async (t) => {
  const stream = await open(t)
  const a = await stream.join('a')
  await stream.join('b')
  const owners = async () =>
    (await stream.group()).reservations?.map(({ reservedInstance }) => reservedInstance)
  assert.deepEqual(await owners(), ['a', 'a'])
  const { next } = await stream.get(a)
  assert.deepEqual(await owners(), ['a', undefined])
  await stream.get(await stream.join('b'))
  assert.deepEqual(await owners(), ['a', 'b'])
  // A third one has nothing to get, and may ask.
  assert.deepEqual((await stream.get(await stream.join('c'))).values, [])
  await stream.get(next)
  assert.deepEqual(await owners(), ['a', 'b'])
})

test('with commitOnGet a get commits the batch before', async (t) => {
  const stream = await open(t)
  await stream.put('a')
  const { values, next } = await stream.get(await stream.join('i', { commitOnGet: true }))
  assert.deepEqual(values, ['a'])
  const offsets = async () =>
    (await stream.group()).reservations?.map(({ committedOffset }) => committedOffset)
  assert.ok((await offsets())?.every((offset) => offset === undefined))
  await stream.get(next)
  assert.deepEqual(
    (await offsets())?.filter((offset) => offset !== undefined),
    [0],
  )
})

test('a cursor expires five minutes after it was given out, and each call gives a new one', async (t) => {
  const stream = await open(t)
  const single = await stream.single({ type: 'LATEST', partition: '0' })
  const cursor = await stream.join('a', { timeoutInMs: 3_600_000 })
  stream.time.now += 299_999
  const { next } = await stream.get(single)
  const renewed = await stream.heartbeat(cursor)
  stream.time.now += 1
  for (const call of [
    stream.get(single),
    stream.get(cursor),
    stream.heartbeat(cursor),
    stream.commit(cursor),
  ])
    await assert.rejects(call, INVALID_CURSOR)
  await stream.get(next)
  await stream.commit(renewed)
  for (const nonsense of ['', 'x', base64('{}'), base64('[]')])
    await assert.rejects(stream.commit(nonsense), INVALID_CURSOR)
  await assert.rejects(stream.commit(single), INVALID_CURSOR)
})

test('messages leave with the retention period, and a group that slept through it is told', async (t) => {
  const start = Date.now() - 200_000
  const time = { now: start }
  const config = streamWorld()
  for (const stream of config.streams) stream.retentionSeconds = 60
  const emulator = await emulatorFor(t, config, { now: () => time.now })
  const stream = streamOf(emulator.endpoint, await instanceProvider(emulator, 'worker-1'))
  await stream.put(...LETTERS)
  const cursor = await stream.join('a', { timeoutInMs: 3_600_000 })
  time.now += 60_001
  await stream.put('new')
  await assert.rejects(stream.get(cursor), OUTSIDE)
  const fresh = await stream.join('a', { groupName: 'fresh' })
  assert.deepEqual(await readAll(stream, fresh), ['new'])
  // An operator moves the group.
  const updateGroupDetails = { type: 'TRIM_HORIZON' as never }
  await stream.client.updateGroup({ streamId: STREAM, groupName: 'g', updateGroupDetails })
  time.now += 1000
  assert.deepEqual(await readAll(stream, await stream.join('a')), ['new'])
})

test('what is too much is refused, in part where a part of it fits', async (t) => {
  const stream = await open(t)
  const putAll = (messages: readonly { key: string; value: string }[]) =>
    stream.client.putMessages({ streamId: STREAM, putMessagesDetails: { messages: [...messages] } })
  const half = { key: base64('k'), value: Buffer.alloc(600_000).toString('base64') }
  await assert.rejects(putAll([half, half]), refused('Request size is limited to 1 MiB'))
  await putAll([half])
  await assert.rejects(putAll([half]), THROTTLED)
  const small = { key: base64('k'), value: base64('small') }
  const { putMessagesResult } = await putAll([half, small])
  assert.equal(putMessagesResult.failures, 1)
  assert.deepEqual(
    putMessagesResult.entries?.map(({ error }) => error),
    ['TooManyRequests', undefined],
  )
  stream.time.now += 1000
  await putAll([half])
  await assert.rejects(putAll([{ key: Buffer.alloc(257).toString('base64'), value: '' }]), {
    statusCode: 400,
  })
  await assert.rejects(putAll([]), { statusCode: 400 })
})

test('five gets a second for each partition of a group', async (t) => {
  const stream = await open(t)
  const cursor = await stream.join('a')
  for (let gets = 0; gets < 10; gets += 1) await stream.get(cursor)
  await assert.rejects(stream.get(cursor), THROTTLED)
  stream.time.now += 1000
  await stream.get(cursor)
})

test('who may only push does not read, and a group that nobody made does not exist', async (t) => {
  const emulator = await emulatorFor(t, testConfig())
  const worker = streamOf(emulator.endpoint, await instanceProvider(emulator, 'worker-1'))
  await assert.rejects(worker.group(), { statusCode: 404 })
  const verifier = streamOf(emulator.endpoint, await instanceProvider(emulator, 'verifier'))
  const hidden = { statusCode: 404, serviceCode: 'NotAuthorizedOrNotFound' }
  await assert.rejects(verifier.join('v'), hidden)
  await assert.rejects(verifier.put('x'), hidden)
})

test('messages, offsets and reservations outlive the process', async (t) => {
  const folder = await temporaryFolder(t)
  const config = streamWorld()
  const time = { now: Date.now() }
  const options = { config, folder, now: () => time.now, onFault: assert.ifError }
  const before = await startEmulator(options)
  const stream = streamOf(before.endpoint, await instanceProvider(before, 'worker-1'))
  await stream.put(...LETTERS)
  const done = await stream.get(await stream.join('a'), 1)
  const open = await stream.get(await stream.commit(done.next), 1)
  await before.close()

  const after = await emulatorFor(t, config, { folder, now: () => time.now })
  const again = streamOf(after.endpoint, await instanceProvider(after, 'worker-1'))
  const reservations = (await again.group()).reservations ?? []
  assert.deepEqual(
    reservations.map(({ reservedInstance }) => reservedInstance),
    ['a', 'a'],
  )
  assert.equal(reservations.filter(({ committedOffset }) => committedOffset === 0).length, 1)
  // The cursor of before the restart commits what was read then.
  await again.commit(open.next)
  time.now += 10_000
  const rest = LETTERS.filter((letter) => letter !== done.values[0] && letter !== open.values[0])
  assert.deepEqual(await readAll(again, await again.join('b')), rest)
  await again.put('later')
})
