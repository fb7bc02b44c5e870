/** A full disk below the emulator: refused without any effect, and over as soon as there is room. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startEmulator } from '#lab/emulator/emulator.ts'
import { instanceProvider, objectStorageOf } from './clients.ts'
import { streamClient, streamConfig } from './streamClient.ts'
import { armFault, CONSUMER_NAMESPACE, emulatorFor, temporaryFolder } from './testEmulator.ts'

const FULL = { statusCode: 500, serviceCode: 'InternalServerError' }
const bucket = { namespaceName: CONSUMER_NAMESPACE, bucketName: 'worker-state' }

test('a write without room fails, changes nothing, and works later, also after a restart', async (t) => {
  const folder = await temporaryFolder(t)
  const config = streamConfig()
  const emulator = await startEmulator({ config, folder, now: Date.now, onFault: assert.ifError })
  const provider = await instanceProvider(emulator, 'worker-1')
  const storage = objectStorageOf(emulator, provider)
  const stream = streamClient(emulator.endpoint, provider)
  const put = (objectName: string, size: number) =>
    storage.putObject({ ...bucket, objectName, contentLength: size, putObjectBody: Buffer.alloc(size) })
  const names = async () => (await storage.listObjects(bucket)).listObjects.objects.map(({ name }) => name)

  await stream.put('before')
  await armFault(emulator, { service: 'disk', match: { path: 'bodies' }, freeBytes: 10_000, forMs: 600_000 })
  await put('attempt/fits', 6000)
  await assert.rejects(put('attempt/too-large', 6000), FULL)
  await put('attempt/fits-too', 3000)
  await armFault(emulator, undefined)

  await armFault(emulator, { service: 'disk', forMs: 600_000 })
  await assert.rejects(put('attempt/journal', 0), FULL)
  await assert.rejects(stream.put('lost'), FULL)
  await assert.rejects(stream.join('a'), FULL)
  assert.deepEqual(await names(), ['attempt/fits', 'attempt/fits-too'])
  await armFault(emulator, undefined)

  await put('attempt/later', 1)
  await stream.put('after')
  const first = await stream.get(await stream.join('a'))
  const { values } = await stream.get(first.next)
  assert.deepEqual([...first.values, ...values].sort(), ['after', 'before'])
  await emulator.close()

  const again = await emulatorFor(t, config, { folder })
  const restarted = objectStorageOf(again, await instanceProvider(again, 'worker-1'))
  const { listObjects } = await restarted.listObjects(bucket)
  assert.deepEqual(
    listObjects.objects.map(({ name }) => name),
    ['attempt/fits', 'attempt/fits-too', 'attempt/later'],
  )
  const reader = streamClient(again.endpoint, await instanceProvider(again, 'worker-1'))
  const cursors = await Promise.all(
    ['0', '1'].map((partition) => reader.single({ partition, type: 'TRIM_HORIZON' })),
  )
  const batches = await Promise.all(cursors.map((cursor) => reader.get(cursor)))
  assert.deepEqual(batches.flatMap((batch) => batch.values).sort(), ['after', 'before'])
})
