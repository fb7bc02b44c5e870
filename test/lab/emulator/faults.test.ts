import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFaults } from '#lab/emulator/faults.ts'
import { instanceProvider, objectStorageOf } from './clients.ts'
import { armFault, CONSUMER_NAMESPACE, emulatorFor, testConfig } from './testEmulator.ts'

const results = { namespaceName: CONSUMER_NAMESPACE, bucketName: 'results' }

test('a fault hits the calls that match it, the armed number of times', async (t) => {
  const emulator = await emulatorFor(t, testConfig())
  const worker = objectStorageOf(emulator, await instanceProvider(emulator, 'worker-1'))
  const put = (objectName: string) =>
    worker.putObject({
      ...results,
      objectName,
      ifNoneMatch: '*',
      contentLength: 1,
      putObjectBody: Buffer.from('x'),
    })
  const exists = async (objectName: string) => {
    const { listObjects } = await worker.listObjects({ ...results, prefix: objectName })
    return listObjects.objects.length === 1
  }

  await armFault(emulator, { service: 'objectstorage', match: { method: 'PUT' }, status: 429, times: 2 })
  for (const _ of [1, 2]) await assert.rejects(put('a'), { statusCode: 429, serviceCode: 'TooManyRequests' })
  await put('a')

  await armFault(emulator, { service: 'objectstorage', match: { path: '/o/b' }, reset: 'before', times: 1 })
  await put('c')
  await assert.rejects(put('b'), { message: 'fetch failed' })
  assert.equal(await exists('b'), false)

  await armFault(emulator, { service: 'objectstorage', match: { method: 'PUT' }, reset: 'after', times: 1 })
  await assert.rejects(put('d'), { message: 'fetch failed' })
  assert.equal(await exists('d'), true)

  assert.equal(await armFault(emulator, { service: 'objectstorage', times: 0 }), 400)
  assert.equal(await armFault(emulator, { service: 'objectstorage', status: 503, times: 9 }), 200)
  await fetch(`${emulator.endpoint}/emulator/faults`, { method: 'DELETE' })
  await put('e')
})

test('a call takes the first armed fault that matches, until that is used up', () => {
  const faults = createFaults()
  faults.arm({ service: 'vault', match: { path: '/decrypt', principal: 'p' }, status: 503, times: 1 })
  faults.arm({ service: 'vault', status: 429, times: 2 })
  const take = (service: string, path: string, principal: string) =>
    faults.take({ service, path, principal, method: 'POST' })?.status
  assert.equal(take('streaming', '/decrypt', 'p'), undefined)
  assert.equal(take('vault', '/decrypt', 'q'), 429)
  assert.equal(take('vault', '/20180608/decrypt', 'p'), 503)
  assert.equal(take('vault', '/20180608/decrypt', 'p'), 429)
  assert.equal(take('vault', '/20180608/decrypt', 'p'), undefined)
  for (const malformed of [
    {},
    { service: 'x', times: 0 },
    { service: 'x', times: 1, status: 200 },
    { service: 'x', times: 1, more: 1 },
    { service: 'x', status: 503 },
    { service: 'x', status: 503, times: 1, share: 0 },
  ])
    assert.throws(() => faults.arm(malformed))
})

test('a fault is over after its time, also if it was never used up', () => {
  const clock = { now: 1000 }
  const faults = createFaults(() => clock.now)
  faults.arm({ service: 'vault', status: 503, forMs: 500 })
  faults.arm({ service: 'vault', status: 429, times: 2, forMs: 1000 })
  const take = () =>
    faults.take({ service: 'vault', path: '/', principal: undefined, method: 'POST' })?.status
  assert.equal(take(), 503)
  assert.deepEqual(
    faults.list().map(({ forMs }) => forMs),
    [500, 1000],
  )
  clock.now += 500
  assert.deepEqual(
    faults.list().map(({ times, forMs }) => ({ times, forMs })),
    [{ times: 2, forMs: 500 }],
  )
  assert.deepEqual([take(), take(), take()], [429, 429, undefined])
})

test('a share of the calls is hit, the same ones for one seed; jitter varies the latency of each', () => {
  const pattern = (seed: number): string => {
    const faults = createFaults()
    faults.arm({ service: 'vault', status: 503, share: 0.3, seed, times: 1000 })
    const call = { service: 'vault', path: '/', principal: undefined, method: 'POST' }
    return Array.from({ length: 1000 }, () => (faults.take(call) === undefined ? '.' : 'x')).join('')
  }
  const first = pattern(7)
  const hits = first.replaceAll('.', '').length
  assert.ok(hits > 240 && hits < 360, `${hits} of 1000`)
  assert.equal(pattern(7), first)
  assert.notEqual(pattern(8), first)

  const faults = createFaults()
  faults.arm({ service: 'events', latencyMs: 10, jitterMs: 90, times: 1000 })
  const call = { service: 'events', path: 'a', principal: undefined, method: 'POST' }
  const latencies = Array.from({ length: 1000 }, () => faults.take(call)?.latencyMs ?? 0)
  assert.ok(latencies.every((latency) => latency > 10 && latency <= 100))
  assert.ok(new Set(latencies).size > 50)
})

test('a body can be cut, altered by one bit, or slow; a stream and JSON alike', async (t) => {
  const emulator = await emulatorFor(t, testConfig())
  const worker = objectStorageOf(emulator, await instanceProvider(emulator, 'worker-1'))
  const content = Buffer.alloc(100_000, 'content ')
  const object = { ...results, objectName: 'a' }
  await worker.putObject({ ...object, contentLength: content.byteLength, putObjectBody: content })
  const get = async (): Promise<Buffer> => {
    const { value } = await worker.getObject(object)
    return Buffer.from(await new Response(value as ReadableStream).arrayBuffer())
  }
  const armBody = (body: string, path: string) =>
    armFault(emulator, { service: 'objectstorage', match: { method: 'GET', path }, body, times: 1 })

  await armBody('truncated', '/o/a')
  await assert.rejects(get(), { message: 'terminated' })
  await armBody('corrupted', '/o/a')
  const corrupted = await get()
  const differing = content.keys().filter((index) => content[index] !== corrupted[index])
  assert.equal(corrupted.byteLength, content.byteLength)
  assert.deepEqual([...differing], [content.byteLength / 4])
  assert.equal((corrupted[content.byteLength / 4] ?? 0) ^ (content[content.byteLength / 4] ?? 0), 1)

  await armBody('truncated', '/b/results/o')
  await assert.rejects(worker.listObjects(results))
  await armBody('corrupted', '/b/results/o')
  // The bit is in a name or in the punctuation.
  const listed = await worker.listObjects(results).then(
    (answer) => answer.listObjects,
    () => undefined,
  )
  assert.notDeepEqual(
    listed?.objects.map(({ name }) => name),
    ['a'],
  )

  await armBody('slow', '/o/a')
  const started = performance.now()
  const { value } = await worker.getObject(object)
  const reader = (value as ReadableStream<Uint8Array>).getReader()
  const piece = await reader.read()
  await reader.cancel()
  assert.ok((piece.value?.byteLength ?? 0) <= content.byteLength / 10)
  assert.ok(performance.now() - started >= 400)
  assert.deepEqual(await get(), content)
})

test('a silent call is neither served nor answered, and its connection stays', async (t) => {
  const emulator = await emulatorFor(t, testConfig())
  const worker = objectStorageOf(emulator, await instanceProvider(emulator, 'worker-1'))
  await armFault(emulator, { service: 'objectstorage', match: { method: 'PUT' }, silent: true, times: 1 })
  const put = worker.putObject({
    ...results,
    objectName: 'a',
    contentLength: 1,
    putObjectBody: Buffer.from('x'),
  })
  put.catch(() => {})
  const { promise: patience, resolve: end } = Promise.withResolvers<string>()
  // Another call is served meanwhile, and later.
  const others = (async () => {
    for (let calls = 0; calls < 20; calls += 1) await worker.listObjects(results)
    end('still silent')
  })()
  assert.equal(
    await Promise.race([
      put.then(
        () => 'answered',
        () => 'refused',
      ),
      patience,
    ]),
    'still silent',
  )
  await others
  assert.deepEqual((await worker.listObjects(results)).listObjects.objects, [])
})
