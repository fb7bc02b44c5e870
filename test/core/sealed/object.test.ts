import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import test from 'node:test'
import fc from 'fast-check'
import { keySigner, signCompact } from '#core/jws.ts'
import { nodeCipher, type SegmentCipher } from '#core/sealed/cipher.ts'
import { type SealHeader, SealHeaderFormat } from '#core/sealed/header.ts'
import {
  encodeSealHeader,
  openObject,
  readSealHeader,
  SEAL_PREFIX_BYTES,
  sealedSize,
  sealObject,
} from '#core/sealed/object.ts'
import type { Ownership } from '#core/sealed/outputBuffers.ts'
import type { Chunks } from '#core/sealed/pieces.ts'

const SEGMENT = 262_144
const TEXT = SEGMENT - 32
const DEK = Buffer.alloc(32, 3)
const header: SealHeader = {
  v: 1,
  tenant: 'hospital',
  dataset: 'cohort-1',
  object: '00112233445566778899aabbccddeeff',
  sealId: '00112233445566778899aabbccddeeff',
  size: 5,
  contentType: 'application/fhir+ndjson',
  sealedAt: 1_790_000_000,
  set: null,
  minimised: null,
  baseUrl: null,
  custody: {
    mode: 'rewrap',
    keyId: 'ocid1.key.oc1.eu-frankfurt-1.a',
    keyVersionId: 'ocid1.keyversion.oc1.eu-frankfurt-1.a',
    wrappedDek: Buffer.alloc(60, 9).toString('base64url'),
  },
}
const signer = keySigner(generateKeyPairSync('ed25519').privateKey)
const HEADER = await signCompact(SealHeaderFormat, header, signer)
const OFFSET = 12 + HEADER.length

const sizes = [0, 1, 5, TEXT - 1, TEXT, TEXT + 1, 4 * TEXT - 1, 4 * TEXT, 4 * TEXT + 1, 13 * TEXT + 7]

for (const size of sizes) {
  for (const ownership of ['given', 'lent'] as const) {
    test(`${size} bytes, ${ownership}, open to the sealed content and have the computed size`, async () => {
      const plaintext = contentOf(size)
      const sealed = await collect(seal([plaintext], size, ownership))
      assert.equal(sealed.byteLength, sealedSize(HEADER.length, size))
      const { headerJws, offset } = readSealHeader(sealed.subarray(0, SEAL_PREFIX_BYTES))
      assert.equal(headerJws, HEADER)
      assert.deepEqual(await collect(open([sealed.subarray(offset)], size, ownership)), plaintext)
    })
  }
}

test('the size of chunks changes nothing', async () => {
  const plaintext = contentOf(2 * TEXT + 9)
  const sealed = await collect(seal([plaintext], plaintext.byteLength))
  const cut = fc.array(fc.integer({ min: 1, max: SEGMENT }), { minLength: 1, maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(cut, cut, async (before, after) => {
      const again = await collect(seal(chunked(plaintext, before), plaintext.byteLength))
      assert.deepEqual(
        await collect(open(chunked(again.subarray(OFFSET), after), plaintext.byteLength)),
        plaintext,
      )
      assert.deepEqual(
        await collect(open(chunked(sealed.subarray(OFFSET), after), plaintext.byteLength)),
        plaintext,
      )
    }),
    { numRuns: 8 },
  )
})

test('two seals of the same content have nothing in common', async () => {
  const [one, other] = [await collect(seal([contentOf(64)], 64)), await collect(seal([contentOf(64)], 64))]
  assert.notDeepEqual(one.subarray(OFFSET + 10, OFFSET + 42), other.subarray(OFFSET + 10, OFFSET + 42))
  assert.notDeepEqual(one.subarray(OFFSET + 90), other.subarray(OFFSET + 90))
})

const small = await collect(seal([contentOf(40)], 40))
const large = await collect(seal([contentOf(6 * TEXT)], 6 * TEXT))

test('cut anywhere, a small object does not open', async () => {
  for (let cut = OFFSET; cut < small.byteLength; cut++)
    await assert.rejects(collect(open([small.subarray(OFFSET, cut)], 40)), { code: 'object.unopened' })
})

test('with any bit of its ciphertext changed, a small object does not open', async () => {
  for (let bit = 0; bit < (small.byteLength - OFFSET) * 8; bit++) {
    const changed = Buffer.from(small.subarray(OFFSET))
    changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    await assert.rejects(collect(open([changed], 40)), { code: 'object.unopened' })
  }
})

test('with any bit changed, a large object does not open', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat((large.byteLength - OFFSET) * 8 - 1), async (bit) => {
      const changed = Buffer.from(large.subarray(OFFSET))
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      await assert.rejects(collect(open([changed], 6 * TEXT)), { code: 'object.unopened' })
    }),
    { numRuns: 20 },
  )
})

const body = large.subarray(OFFSET)
const segment = (n: number) => body.subarray(74 + n * SEGMENT, 74 + (n + 1) * SEGMENT)
const head = body.subarray(0, 74)
const changes = [
  { name: 'cut at a segment border', chunks: [body.subarray(0, 74 + 4 * SEGMENT)] },
  { name: 'cut after its header', chunks: [head] },
  { name: 'extended by a byte', chunks: [body, Buffer.alloc(1)] },
  { name: 'extended by its own last segment', chunks: [body, segment(5)] },
  {
    name: 'with two segments swapped',
    chunks: [head, segment(1), segment(0), body.subarray(74 + 2 * SEGMENT)],
  },
  { name: 'with a segment repeated', chunks: [head, segment(0), body.subarray(74)] },
  { name: 'with a segment left out', chunks: [head, body.subarray(74 + SEGMENT)] },
  { name: 'without any bytes', chunks: [] },
]
for (const { name, chunks } of changes)
  test(`${name}, an object does not open`, async () => {
    await assert.rejects(collect(open(chunks, 6 * TEXT)), { code: 'object.unopened' })
  })

test('with another header, an object does not open', async () => {
  const stream = openObject({
    headerJws: `${HEADER}A`,
    size: 40,
    dek: DEK,
    chunks: [small.subarray(OFFSET)],
    cipher: nodeCipher,
  })
  await assert.rejects(collect(stream), { code: 'object.unopened' })
})

test('under another key, an object does not open', async () => {
  const stream = openObject({
    headerJws: HEADER,
    size: 40,
    dek: Buffer.alloc(32),
    chunks: [small.subarray(OFFSET)],
    cipher: nodeCipher,
  })
  await assert.rejects(collect(stream), { code: 'object.unopened' })
})

test('a key that does not have 32 bytes opens and seals nothing', async () => {
  const dek = Buffer.alloc(16)
  const both = { headerJws: HEADER, size: 40, dek, chunks: [small.subarray(OFFSET)], cipher: nodeCipher }
  await assert.rejects(collect(openObject(both)), { code: 'key.unopened' })
  await assert.rejects(collect(sealObject({ ...both, chunks: [contentOf(40)] })), { code: 'key.unopened' })
})

for (const size of [39, 41])
  test(`an object of 40 bytes whose header says ${size} does not open`, async () => {
    await assert.rejects(collect(open([small.subarray(OFFSET)], size)), { code: 'object.unopened' })
  })

test('bytes before a changed segment are authentic, and none after it are yielded', async () => {
  const changed = Buffer.from(body)
  changed.writeUInt8(changed.readUInt8(74 + 5 * SEGMENT + 100) ^ 1, 74 + 5 * SEGMENT + 100)
  const opened: Buffer[] = []
  await assert.rejects(
    async () => {
      for await (const chunk of open([changed], 6 * TEXT)) opened.push(chunk)
    },
    { code: 'object.unopened' },
  )
  const released = Buffer.concat(opened)
  assert.ok(released.byteLength <= 5 * TEXT)
  assert.deepEqual(released, contentOf(6 * TEXT).subarray(0, released.byteLength))
})

for (const [difference, chunks] of [
  ['shorter', [contentOf(39)]],
  ['longer', [contentOf(40), contentOf(1)]],
  ['empty', []],
] as const)
  test(`content that is ${difference} than announced is not sealed`, async () => {
    const sealed: Buffer[] = []
    await assert.rejects(
      async () => {
        for await (const chunk of seal([...chunks], 40)) sealed.push(chunk)
      },
      { code: 'input.changed' },
    )
    assert.ok(Buffer.concat(sealed).byteLength < sealedSize(HEADER.length, 40))
  })

const long = await collect(seal([contentOf(40 * TEXT)], 40 * TEXT))

test('extended by a byte at the end of a batch, an object does not open', async () => {
  const stream = openLong([long.subarray(OFFSET), Buffer.alloc(1)], nodeCipher)
  await assert.rejects(collect(stream), { code: 'object.unopened' })
})

test('an error of the source is thrown unchanged, after the bytes opened before it', async () => {
  const failure = new Error('the network is gone')
  async function* source(): AsyncGenerator<Uint8Array> {
    yield long.subarray(OFFSET, OFFSET + 74 + 9 * SEGMENT)
    throw failure
  }
  const stream = openLong(source(), nodeCipher)
  assert.equal((await stream.next()).value?.byteLength, 8 * TEXT)
  await assert.rejects(stream.next(), failure)
})

test('an empty stream has no chunk', async () => {
  const sealed = await collect(seal([], 0))
  assert.deepEqual(await Array.fromAsync(open([sealed.subarray(OFFSET)], 0)), [])
})

for (const [name, start] of [
  ['opening', (chunks: Chunks, cipher: SegmentCipher) => openLong(chunks, cipher)],
  ['sealing', (chunks: Chunks, cipher: SegmentCipher) => sealLong(chunks, cipher)],
] as const) {
  test(`${name}, then stopping, ends the source and waits for the cipher`, async () => {
    let isClosed = false
    let running = 0
    function* source(): Generator<Uint8Array> {
      try {
        for (let at = OFFSET; at < long.byteLength; at += 100_000) yield long.subarray(at, at + 100_000)
      } finally {
        isClosed = true
      }
    }
    const cipher = observed(async (_key, work) => {
      running++
      await new Promise(setImmediate)
      const done = await work()
      running--
      return done
    })
    const stream = start(source(), cipher)
    for (let bytes = 0; bytes < SEGMENT; ) bytes += (await stream.next()).value?.byteLength ?? SEGMENT
    await stream.return()
    assert.deepEqual({ running, isClosed }, { running: 0, isClosed: true })
  })

  test(`${name}, then stopping, starts no work on chunks already read`, async () => {
    let calls = 0
    const cipher = observed((_key, work) => {
      calls++
      return work()
    })
    const stream = start([long.subarray(OFFSET)], cipher)
    for (let bytes = 0; bytes < SEGMENT; ) bytes += (await stream.next()).value?.byteLength ?? SEGMENT
    await stream.return()
    const before = calls
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
    assert.equal(calls, before)
  })

  test(`${name} leaves no segment key behind`, async () => {
    const keys = new Set<Uint8Array>()
    const cipher = observed((key, work) => {
      keys.add(key)
      return work()
    })
    const content = name === 'opening' ? [long.subarray(OFFSET)] : [contentOf(40 * TEXT)]
    await collect(start(content, cipher))
    assert.deepEqual([...keys], [Buffer.alloc(32)])
  })
}

test('the source is read at most a bounded window ahead of the consumer', async () => {
  let given = 0
  function* source(): Generator<Uint8Array> {
    for (let at = OFFSET; at < long.byteLength; at += SEGMENT) {
      given++
      yield long.subarray(at, at + SEGMENT)
    }
  }
  const stream = openLong(source(), nodeCipher)
  await stream.next()
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate)
  assert.ok(given <= 25, `${given} chunks of a segment were read`)
  await stream.return()
})

test('lent bytes share a few buffers, which are wiped when the stream ends', async () => {
  for (const stream of [
    open([long.subarray(OFFSET)], 40 * TEXT, 'lent'),
    seal([contentOf(40 * TEXT)], 40 * TEXT, 'lent'),
  ]) {
    const chunks: Buffer[] = []
    for await (const chunk of stream) if (chunk.byteLength > SEGMENT) chunks.push(chunk)
    assert.equal(chunks.length, 5)
    assert.ok(new Set(chunks.map(({ buffer }) => buffer)).size <= 3)
    for (const chunk of chunks) assert.ok(chunk.equals(Buffer.alloc(chunk.byteLength)))
  }
})

const prefixes = [
  { name: 'nothing', bytes: Buffer.alloc(0) },
  { name: 'another magic', bytes: Buffer.from(`CWSEAL2\n\0\0\0\x05a.b.c`) },
  { name: 'a magic without a length', bytes: Buffer.from('CWSEAL1\n\0\0\0') },
  { name: 'a header of 4097 bytes', bytes: Buffer.from(`CWSEAL1\n\0\0\x10\x01a.b.${'c'.repeat(4093)}`) },
  { name: 'a header that is cut', bytes: Buffer.from('CWSEAL1\n\0\0\0\x06a.b.c') },
  { name: 'a header of no bytes', bytes: Buffer.from('CWSEAL1\n\0\0\0\0a.b.c') },
  { name: 'a header that is not a JWS', bytes: Buffer.from('CWSEAL1\n\0\0\0\x05a.b c') },
  { name: 'a header that ends in a line feed', bytes: Buffer.from('CWSEAL1\n\0\0\0\x06a.b.c\n') },
]
for (const { name, bytes } of prefixes)
  test(`an object that begins with ${name} is malformed`, () => {
    assert.throws(() => readSealHeader(bytes), { code: 'object.malformed' })
  })

test('a header of maximum length is read from the prefix', () => {
  const headerJws = `a.b.${'c'.repeat(4092)}`
  const encoded = encodeSealHeader(headerJws)
  assert.equal(encoded.byteLength, SEAL_PREFIX_BYTES)
  assert.deepEqual(readSealHeader(encoded), { headerJws, offset: SEAL_PREFIX_BYTES })
  assert.throws(() => encodeSealHeader(`${headerJws}c`), { code: 'object.malformed' })
})

function seal(chunks: Chunks, size: number, ownership: Ownership = 'given') {
  return sealObject({ headerJws: HEADER, dek: DEK, chunks, size, cipher: nodeCipher, ownership })
}

function open(chunks: Chunks, size: number, ownership: Ownership = 'given') {
  return openObject({ headerJws: HEADER, dek: DEK, chunks, size, cipher: nodeCipher, ownership })
}

function openLong(chunks: Chunks, cipher: SegmentCipher) {
  return openObject({ headerJws: HEADER, dek: DEK, chunks, size: 40 * TEXT, cipher })
}

function sealLong(chunks: Chunks, cipher: SegmentCipher) {
  return sealObject({ headerJws: HEADER, dek: DEK, chunks, size: 40 * TEXT, cipher })
}

/** The node:crypto cipher, with a wrapper around each call. */
function observed(around: <T>(key: Uint8Array, work: () => Promise<T>) => Promise<T>): SegmentCipher {
  return {
    seal: (key, segments) => around(key, () => nodeCipher.seal(key, segments)),
    open: (key, segments) => around(key, () => nodeCipher.open(key, segments)),
  }
}

/** Copies each chunk before asking for the next, as a consumer of lent bytes must. */
async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

function* chunked(bytes: Buffer, lengths: readonly number[]): Generator<Buffer> {
  for (let start = 0, turn = 0; start < bytes.byteLength; turn++) {
    const length = lengths[turn % lengths.length] ?? 1
    yield bytes.subarray(start, start + length)
    start += length
  }
}

function contentOf(size: number): Buffer {
  return Buffer.alloc(size, 'a line of the content that is to be sealed\n')
}
