import assert from 'node:assert/strict'
import test from 'node:test'
import { createOutputBuffers, type OutputBuffers } from '#core/sealed/outputBuffers.ts'

const KIB = 1024
const MIB = 1024 * KIB

/** A buffer of a stream, full of ones. */
function used(buffers: OutputBuffers, bytes: number): Buffer {
  const buffer = buffers.acquire(bytes)
  assert.equal(buffer.byteLength, bytes)
  return buffer.fill(1)
}

const memoryOf = ({ buffer }: Buffer) => buffer

test('given bytes have memory of their own and keep it', () => {
  const buffers = createOutputBuffers('given')
  const first = used(buffers, 70 * KIB)
  buffers.recycle(first)
  const second = used(buffers, 70 * KIB)
  buffers.close()
  assert.equal(memoryOf(first).byteLength, 70 * KIB)
  assert.notEqual(memoryOf(first), memoryOf(second))
  assert.ok(first.equals(Buffer.alloc(70 * KIB, 1)))
})

for (const { bytes, memory } of [
  { bytes: 0, memory: 0 },
  { bytes: 1, memory: 1 },
  { bytes: 64 * KIB - 1, memory: 64 * KIB - 1 },
  { bytes: 64 * KIB, memory: 2 * MIB },
  { bytes: 2 * MIB, memory: 2 * MIB },
  { bytes: 2 * MIB + 1, memory: 2 * MIB + 1 },
])
  test(`${bytes} lent bytes lie in ${memory} and are wiped at the end`, () => {
    const buffers = createOutputBuffers('lent')
    const lent = used(buffers, bytes)
    assert.equal(memoryOf(lent).byteLength, memory)
    buffers.close()
    assert.ok(lent.equals(Buffer.alloc(bytes)))
  })

test('memory is lent again only after its return, and only for as many bytes as it has', () => {
  const buffers = createOutputBuffers('lent')
  const [first, second] = [used(buffers, 100), used(buffers, 100)]
  assert.notEqual(memoryOf(first), memoryOf(second))
  buffers.recycle(first)
  const larger = used(buffers, 101)
  assert.ok(![first, second].map(memoryOf).includes(memoryOf(larger)))
  const again = used(buffers, 100)
  assert.equal(memoryOf(again), memoryOf(first))
  assert.ok(![first, second, larger].map(memoryOf).includes(memoryOf(used(buffers, 100))))
})

test('all memory that came back is lent again, each once', () => {
  const buffers = createOutputBuffers('lent')
  const lent = [used(buffers, 100), used(buffers, 100), used(buffers, 100)]
  for (const buffer of lent) buffers.recycle(buffer)
  const again = new Set(lent.map(() => memoryOf(buffers.acquire(100))))
  assert.deepEqual(again, new Set(lent.map(memoryOf)))
})

test('the end wipes all that was ever used, however little was used last', () => {
  const buffers = createOutputBuffers('lent')
  const first = used(buffers, 100)
  buffers.recycle(first)
  buffers.acquire(10)
  buffers.close()
  assert.ok(first.equals(Buffer.alloc(100)))
})

test('at most six buffers of a batch are kept for the next stream', () => {
  // Empties what other streams have left.
  const drain = createOutputBuffers('lent')
  for (let count = 0; count < 7; count++) drain.acquire(MIB)
  const one = createOutputBuffers('lent')
  const kept = Array.from({ length: 7 }, () => memoryOf(one.acquire(MIB)))
  one.close()
  const other = createOutputBuffers('lent')
  const known = Array.from({ length: 8 }, () => memoryOf(other.acquire(MIB))).map((memory) =>
    kept.includes(memory),
  )
  assert.deepEqual(known, [true, true, true, true, true, true, false, false])
})

test('memory of another size is not kept', () => {
  const one = createOutputBuffers('lent')
  one.acquire(100)
  one.acquire(3 * MIB)
  one.close()
  for (let count = 0; count < 3; count++) {
    assert.equal(memoryOf(createOutputBuffers('lent').acquire(2 * MIB)).byteLength, 2 * MIB)
  }
})

test('no two streams share memory, even if one ends twice or goes on behind its end', () => {
  const one = createOutputBuffers('lent')
  one.recycle(one.acquire(MIB))
  one.close()
  one.close()
  const other = createOutputBuffers('lent')
  const memories = [one, other, other, one].map((buffers) => memoryOf(buffers.acquire(MIB)))
  assert.equal(new Set(memories).size, 4)
})
