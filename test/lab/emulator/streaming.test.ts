/** Streaming on the wire, beyond what the port uses: exact errors, limits, cursors and restarts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startEmulator } from '#lab/emulator/emulator.ts'
import { instanceProvider } from './clients.ts'
import {
  base64,
  INVALID_CURSOR,
  LETTERS,
  OUTSIDE,
  openStream,
  readAll,
  refused,
  STREAM,
  streamClient,
  streamConfig,
  THROTTLED,
} from './streamClient.ts'
import { emulatorFor, temporaryFolder, testConfig } from './testEmulator.ts'

test('a message carries its partition, offset, key and time', async (t) => {
  const stream = await openStream(t)
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

test('a cursor starts at the requested position', async (t) => {
  const stream = await openStream(t)
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

test('a cursor expires five minutes after issue, and each call returns a new one', async (t) => {
  const stream = await openStream(t)
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

test('messages expire with the retention period, and a group that missed them gets an error', async (t) => {
  const start = Date.now() - 200_000
  const time = { now: start }
  const config = streamConfig()
  for (const stream of config.streams) stream.retentionSeconds = 60
  const emulator = await emulatorFor(t, config, { now: () => time.now })
  const stream = streamClient(emulator.endpoint, await instanceProvider(emulator, 'worker-1'))
  await stream.put(...LETTERS)
  const cursor = await stream.join('a', { timeoutInMs: 3_600_000 })
  time.now += 60_001
  await stream.put('new')
  await assert.rejects(stream.get(cursor), OUTSIDE)
  const fresh = await stream.join('a', { groupName: 'fresh' })
  assert.deepEqual(await readAll(stream, fresh), ['new'])
  // An operator moves the group to the oldest message.
  const updateGroupDetails = { type: 'TRIM_HORIZON' as never }
  await stream.client.updateGroup({ streamId: STREAM, groupName: 'g', updateGroupDetails })
  time.now += 1000
  assert.deepEqual(await readAll(stream, await stream.join('a')), ['new'])
})

test('messages over the limits are refused, and those that fit are accepted', async (t) => {
  const stream = await openStream(t)
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

test('a group may get messages five times per second and partition', async (t) => {
  const stream = await openStream(t)
  const cursor = await stream.join('a')
  for (let gets = 0; gets < 10; gets += 1) await stream.get(cursor)
  await assert.rejects(stream.get(cursor), THROTTLED)
  stream.time.now += 1000
  await stream.get(cursor)
})

test('a principal without permission sees no stream, and an unknown group is 404', async (t) => {
  const emulator = await emulatorFor(t, testConfig())
  const worker = streamClient(emulator.endpoint, await instanceProvider(emulator, 'worker-1'))
  await assert.rejects(worker.group(), { statusCode: 404 })
  const verifier = streamClient(emulator.endpoint, await instanceProvider(emulator, 'verifier'))
  const hidden = { statusCode: 404, serviceCode: 'NotAuthorizedOrNotFound' }
  await assert.rejects(verifier.join('v'), hidden)
  await assert.rejects(verifier.put('x'), hidden)
})

test('messages, offsets and reservations survive a restart', async (t) => {
  const folder = await temporaryFolder(t)
  const config = streamConfig()
  const time = { now: Date.now() }
  const options = { config, folder, now: () => time.now, onFault: assert.ifError }
  const before = await startEmulator(options)
  const stream = streamClient(before.endpoint, await instanceProvider(before, 'worker-1'))
  await stream.put(...LETTERS)
  const done = await stream.get(await stream.join('a'), 1)
  const open = await stream.get(await stream.commit(done.next), 1)
  await before.close()

  const after = await emulatorFor(t, config, { folder, now: () => time.now })
  const again = streamClient(after.endpoint, await instanceProvider(after, 'worker-1'))
  const reservations = (await again.group()).reservations ?? []
  assert.deepEqual(
    reservations.map(({ reservedInstance }) => reservedInstance),
    ['a', 'a'],
  )
  assert.equal(reservations.filter(({ committedOffset }) => committedOffset === 0).length, 1)
  // A cursor from before the restart still commits what it read.
  await again.commit(open.next)
  time.now += 10_000
  const rest = LETTERS.filter((letter) => letter !== done.values[0] && letter !== open.values[0])
  assert.deepEqual(await readAll(again, await again.join('b')), rest)
  await again.put('later')
})
