import assert from 'node:assert/strict'
import test from 'node:test'
import { createOutputBuffers } from '#core/sealed/outputBuffers.ts'
import { BATCH_SEGMENTS, type Batch, runPipeline } from '#core/sealed/pipeline.ts'

const buffers = createOutputBuffers('given')
const KEY = Buffer.alloc(32)
const turns = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
}

/** Reads batches of one byte each, of which it counts those read and those in work. */
function counted(total: number, work: (batch: Batch) => Promise<void> = async () => undefined) {
  const seen = { read: 0, working: 0, atOnce: 0 }
  const stream = runPipeline({
    read: async () => {
      if (seen.read === total) return undefined
      seen.read += 1
      return { key: KEY, segments: [], output: Buffer.of(seen.read) }
    },
    work: async (batch) => {
      seen.working += 1
      seen.atOnce = Math.max(seen.atOnce, seen.working)
      await work(batch)
      seen.working -= 1
    },
    buffers,
  })
  return { seen, stream }
}

test('a batch has eight segments', () => assert.equal(BATCH_SEGMENTS, 8))

test('three batches are read and processed at a time: one at the consumer, two ahead of it', async () => {
  const { seen, stream } = counted(10, turns)
  const first = stream.next()
  await turns()
  assert.deepEqual(seen, { read: 3, working: 3, atOnce: 3 })
  assert.deepEqual((await first).value, Buffer.of(1))
  await turns()
  assert.equal(seen.read, 3)
  await stream.next()
  await turns()
  assert.equal(seen.read, 4)
  const rest = Buffer.concat(await Array.fromAsync(stream))
  assert.deepEqual([...rest], [3, 4, 5, 6, 7, 8, 9, 10])
  assert.deepEqual(seen, { read: 10, working: 0, atOnce: 3 })
})

test('batches come in order, whichever is finished first', async () => {
  const { stream } = counted(6, async ({ output }) => (output.readUInt8() % 2 === 1 ? turns() : undefined))
  assert.deepEqual([...Buffer.concat(await Array.fromAsync(stream))], [1, 2, 3, 4, 5, 6])
})

test('an error of the cipher is thrown in the place of its batch, after the work on others has ended', async () => {
  const failure = new Error('the device is gone')
  const { seen, stream } = counted(10, async ({ output }) => {
    if (output.readUInt8() === 2) throw failure
    await turns()
  })
  assert.deepEqual((await stream.next()).value, Buffer.of(1))
  await turns()
  await assert.rejects(stream.next(), failure)
  // The failed one never counts down.
  assert.equal(seen.working, 1)
})

test('a batch without output is not yielded, and is recycled', async () => {
  const recycled: Buffer[] = []
  const batches = [Buffer.alloc(0), Buffer.of(1)].map((output) => ({ key: KEY, segments: [], output }))
  const stream = runPipeline({
    read: async () => batches.shift(),
    work: async () => undefined,
    buffers: { ...buffers, recycle: (output) => recycled.push(output) },
  })
  assert.deepEqual(await Array.fromAsync(stream), [Buffer.of(1)])
  assert.deepEqual(recycled, [Buffer.alloc(0), Buffer.of(1)])
})
