import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { cutPieces, joinPieces, lengthOf, readPieces } from '#core/sealed/pieces.ts'

test('portions of any size from chunks of any size give the stream, without copying large pieces', async () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 1, max: 100 }), async (given, portion) => {
      const reader = readPieces(given)
      const whole = Buffer.concat(given)
      const portions: Uint8Array[][] = []
      while (!(await reader.isAtEnd())) portions.push(await reader.take(portion))
      assert.deepEqual(Buffer.concat(portions.flat()), whole)
      assert.ok(portions.slice(0, -1).every((pieces) => lengthOf(pieces) === portion))
      assert.deepEqual(await reader.take(1), [])
    }),
  )
})

test('pieces are views of the chunks', async () => {
  const chunk = Buffer.from('abcdef')
  const [piece] = await readPieces([chunk]).take(4)
  chunk.write('X')
  assert.equal(Buffer.from(piece ?? []).toString(), 'Xbcd')
})

test('a chunk or a piece that is taken whole is passed on as it is', async () => {
  const chunk = Uint8Array.of(1, 2, 3)
  assert.equal((await readPieces([chunk]).take(3))[0], chunk)
  assert.equal(cutPieces([chunk])(3)[0], chunk)
  assert.deepEqual(cutPieces([chunk, chunk])(3), [chunk])
  assert.equal(joinPieces([chunk]), chunk)
})

test('a portion of up to 256 pieces is a list of them, a longer one is joined', async () => {
  const chunks = Array(257).fill(Buffer.from('a'))
  assert.equal((await readPieces(chunks).take(256)).length, 256)
  assert.deepEqual(await readPieces(chunks).take(257), [Buffer.alloc(257, 'a')])
})

test('nothing is read before it is asked for, nor more than is asked for', async () => {
  let given = 0
  function* source(): Generator<Uint8Array> {
    for (given = 1; given <= 3; given++) yield Buffer.from('ab')
  }
  const reader = readPieces(source())
  assert.deepEqual(await reader.take(0), [])
  assert.equal(given, 0)
  assert.deepEqual(await reader.take(2), [Buffer.from('ab')])
  assert.equal(given, 1)
  assert.equal(await reader.isAtEnd(), false)
  assert.equal(given, 2)
})

test('a source that fails at its end does not fail the reader', async () => {
  const failing: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ value: Buffer.from('ab'), done: false }),
      return: () => Promise.reject(new Error('the connection is gone')),
    }),
  }
  const reader = readPieces(failing)
  await reader.take(1)
  reader.close()
  await new Promise(setImmediate)
  // What was read is still there; no more is read.
  assert.deepEqual(Buffer.concat(await reader.take(5)), Buffer.from('b'))
})

test('a portion of many small chunks is joined', async () => {
  const pieces = await readPieces(Array(1000).fill(Buffer.from('a'))).take(1000)
  assert.deepEqual(pieces, [Buffer.alloc(1000, 'a')])
})

test('closing ends the source', async () => {
  let isClosed = false
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      yield Buffer.from('a')
      yield Buffer.from('b')
    } finally {
      isClosed = true
    }
  }
  const reader = readPieces(source())
  await reader.take(1)
  reader.close()
  await new Promise(setImmediate)
  assert.equal(isClosed, true)
  assert.deepEqual(await reader.take(1), [])
})

test('pieces cut into portions keep every byte in order', () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 })
  const portions = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(pieces, portions, (given, lengths) => {
      const whole = Buffer.concat(given)
      const cut = cutPieces(given)
      for (let start = 0, turn = 0; start < whole.byteLength; turn++) {
        const length = Math.min(lengths[turn % lengths.length] ?? 1, whole.byteLength - start)
        assert.deepEqual(Buffer.from(joinPieces(cut(length))), whole.subarray(start, start + length))
        start += length
      }
      assert.deepEqual(Buffer.concat(cut(1)), Buffer.alloc(0))
    }),
  )
})
