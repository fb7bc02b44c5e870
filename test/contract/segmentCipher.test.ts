/** The contract of SegmentCipher, for each implementation. */
import assert from 'node:assert/strict'
import { createCipheriv } from 'node:crypto'
import test from 'node:test'
import { loadSegmentCipher } from '#adapters/aead/native.ts'
import { nodeCipher, type Segment, type SegmentCipher } from '#core/sealed/cipher.ts'

const { cipher: loaded, provider } = loadSegmentCipher()
const ciphers: readonly { readonly name: string; readonly cipher: SegmentCipher }[] = [
  { name: 'node:crypto', cipher: nodeCipher },
  ...(provider === 'native' ? [{ name: 'native', cipher: loaded }] : []),
]

const KEY = Buffer.alloc(32, 7)
const AAD = Buffer.from('aad')
const TEXT = Buffer.from(Array.from({ length: 1000 }, (_, at) => (at * 31) & 255))

const cuts = [
  { name: 'one piece', pieces: [TEXT] },
  { name: 'pieces that are not multiples of a block', pieces: cut(TEXT, [1, 15, 17, 0, 300]) },
  { name: 'many tiny pieces', pieces: cut(TEXT, Array(999).fill(1)) },
  { name: 'no piece', pieces: [] },
  { name: 'one empty piece', pieces: [Buffer.alloc(0)] },
]

for (const { name, cipher } of ciphers) {
  for (const { name: shape, pieces } of cuts) {
    test(`${name}: seals ${shape} as AES-256-GCM does`, async () => {
      const text = Buffer.concat(pieces)
      const segment = emptySegment(pieces, 1)
      await cipher.seal(KEY, [segment])
      assert.deepEqual([segment.output, segment.tag], reference(text, 1))
    })

    test(`${name}: opens ${shape}`, async () => {
      const text = Buffer.concat(pieces)
      const [ciphertext, tag] = reference(text, 1)
      const lengths = pieces.map(({ byteLength }) => byteLength)
      const segment = { ...emptySegment(cut(ciphertext, lengths), 1), tag }
      assert.equal(await cipher.open(KEY, [segment]), true)
      assert.deepEqual(segment.output, text)
    })
  }

  test(`${name}: works on views into larger buffers and writes nothing beside them`, async () => {
    const memory = Buffer.alloc(3000, 0xaa)
    const segment = {
      iv: ivOf(1),
      aad: AAD,
      input: [TEXT],
      output: memory.subarray(5, 1005),
      tag: memory.subarray(1005, 1021),
    }
    await cipher.seal(KEY, [segment])
    const [ciphertext, tag] = reference(TEXT, 1)
    const expected = Buffer.concat([Buffer.alloc(5, 0xaa), ciphertext, tag, Buffer.alloc(1979, 0xaa)])
    assert.deepEqual(memory, expected)
  })

  test(`${name}: keeps overlapping calls apart`, async () => {
    const batches = Array.from({ length: 8 }, (_, batch) =>
      [0, 1, 2].map((n) => emptySegment([TEXT], batch * 3 + n)),
    )
    await Promise.all(batches.map((segments) => cipher.seal(KEY, segments)))
    for (const [index, segment] of batches.flat().entries())
      assert.deepEqual([segment.output, segment.tag], reference(TEXT, index))
  })

  const changes: readonly { name: string; change: (segment: Segment) => Segment }[] = [
    { name: 'a changed tag', change: (segment) => ({ ...segment, tag: flip(segment.tag) }) },
    { name: 'a changed iv', change: (segment) => ({ ...segment, iv: flip(segment.iv) }) },
    { name: 'changed associated data', change: (segment) => ({ ...segment, aad: flip(segment.aad) }) },
    {
      name: 'changed ciphertext',
      change: (segment) => ({ ...segment, input: [flip(Buffer.concat(segment.input))] }),
    },
  ]
  for (const { name: what, change } of changes) {
    test(`${name}: refuses a call with ${what} and leaves no plaintext of any segment`, async () => {
      const sealed = [1, 2, 3].map((n) => {
        const [ciphertext, tag] = reference(TEXT, n)
        return { ...emptySegment([ciphertext], n), tag }
      })
      const segments = sealed.map((segment, index) => (index === 1 ? change(segment) : segment))
      for (const { output } of segments) output.fill(1)
      assert.equal(await cipher.open(KEY, segments), false)
      for (const { output } of segments) assert.deepEqual(output, Buffer.alloc(1000))
    })
  }

  test(`${name}: refuses under another key`, async () => {
    const [ciphertext, tag] = reference(TEXT, 1)
    assert.equal(await cipher.open(Buffer.alloc(32), [{ ...emptySegment([ciphertext], 1), tag }]), false)
  })

  test(`${name}: rejects a key of 31 bytes, even if there is nothing to do`, async () => {
    await assert.rejects(async () => cipher.seal(Buffer.alloc(31), []), RangeError)
    await assert.rejects(async () => cipher.open(Buffer.alloc(31), []), RangeError)
  })

  const lengths: readonly { name: string; key?: Buffer; change: Partial<Segment> }[] = [
    { name: 'a key of 16 bytes', key: Buffer.alloc(16), change: {} },
    { name: 'an iv of 16 bytes', change: { iv: Buffer.alloc(16) } },
    { name: 'a tag of 12 bytes', change: { tag: Buffer.alloc(12) } },
    { name: 'an output that is too short', change: { output: Buffer.alloc(999) } },
    { name: 'an output that is too long', change: { output: Buffer.alloc(1001) } },
  ]
  for (const { name: what, key = KEY, change } of lengths) {
    test(`${name}: rejects ${what} before writing`, async () => {
      const first = emptySegment([TEXT], 1)
      const segments = [first, { ...emptySegment([TEXT], 2), ...change }]
      await assert.rejects(async () => cipher.seal(key, segments), RangeError)
      await assert.rejects(async () => cipher.open(key, segments), RangeError)
      assert.deepEqual(first.output, Buffer.alloc(1000))
    })
  }
}

function emptySegment(input: readonly Buffer[], n: number): Segment & { output: Buffer; tag: Buffer } {
  const bytes = Buffer.concat(input).byteLength
  return { iv: ivOf(n), aad: AAD, input, output: Buffer.alloc(bytes), tag: Buffer.alloc(16) }
}

function ivOf(n: number): Buffer {
  return Buffer.alloc(12, n)
}

function reference(text: Buffer, n: number): [Buffer, Buffer] {
  const cipher = createCipheriv('aes-256-gcm', KEY, ivOf(n)).setAAD(AAD)
  return [Buffer.concat([cipher.update(text), cipher.final()]), cipher.getAuthTag()]
}

function flip(bytes: Uint8Array): Buffer {
  const flipped = Buffer.from(bytes)
  flipped.writeUInt8(flipped.readUInt8(0) ^ 0x80, 0)
  return flipped
}

/** Pieces of these lengths, then the rest. */
function cut(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = []
  let start = 0
  for (const length of lengths) {
    pieces.push(bytes.subarray(start, start + length))
    start += length
  }
  return start < bytes.byteLength ? [...pieces, bytes.subarray(start)] : pieces
}
