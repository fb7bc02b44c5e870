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
