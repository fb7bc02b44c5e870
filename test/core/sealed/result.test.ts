import assert from 'node:assert/strict'
import { constants, createHash, generateKeyPairSync, type KeyObject, privateDecrypt } from 'node:crypto'
import test from 'node:test'
import { exportJwk, RsaJwk } from '#core/jwk.ts'
import { nodeCipher } from '#core/sealed/cipher.ts'
import { FLOE, floeBytes } from '#core/sealed/floe.ts'
import { sealFloe } from '#core/sealed/floeSeal.ts'
import { padmeLength } from '#core/sealed/padme.ts'
import type { Chunks } from '#core/sealed/pieces.ts'
import { openResult, PART_BYTES, type ResultPart, sealResult, verifyParts } from '#core/sealed/result.ts'
import { plainMemory } from '#core/secretMemory.ts'

const ID = 'ab'.repeat(32)
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const RECIPIENT = RsaJwk.parse(exportJwk(publicKey))

// 7 bytes are padded by one. The last chunk of 8 MiB, which is smaller than the padding, has no content.
const LAST_CHUNK_EMPTY = 8 * 1024 * 1024 - 8 - 5000
for (const size of [0, 1, 7, 1000, 300_000, LAST_CHUNK_EMPTY, PART_BYTES, PART_BYTES + 5_000_000])
  test(`a result of ${size} bytes opens with the recipient's key`, async () => {
    const content = contentOf(size)
    const { wrappedDek, parts } = await seal([content], size)
    const opened = openResult({
      resultId: ID,
      dek: unwrap(wrappedDek),
      parts: bytesOf(parts),
      cipher: nodeCipher,
    })
    assert.ok(Buffer.concat(await Array.fromAsync(opened)).equals(content))
  })

test('an empty result has no chunk', async () => {
  const { wrappedDek, parts } = await seal([], 0)
  const opening = { resultId: ID, dek: unwrap(wrappedDek), parts: bytesOf(parts), cipher: nodeCipher }
  assert.deepEqual(await Array.fromAsync(openResult(opening)), [])
})

test('a consumer that stops after a part ends the source', async () => {
  let isClosed = false
  const size = PART_BYTES + 5_000_000
  function* source(): Generator<Uint8Array> {
    try {
      for (;;) yield contentOf(100_000)
    } finally {
      isClosed = true
    }
  }
  const { parts } = sealResult({
    resultId: ID,
    recipient: RECIPIENT,
    chunks: source(),
    size,
    memory: plainMemory,
    cipher: nodeCipher,
  })
  assert.equal((await parts.next()).value?.bytes.byteLength, 16 * 1024 * 1024)
  await parts.return()
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
  assert.equal(isClosed, true)
})

test('parts are cut at 16 MiB, have their digests, and have the padded length in total', async () => {
  const size = PART_BYTES + 5_000_000
  const { parts } = await seal([contentOf(size)], size)
  const whole = Buffer.concat(bytesOf(parts))
  assert.equal(PART_BYTES, 16_777_216)
  assert.deepEqual(
    parts.map(({ part, bytes }) => [part, bytes.byteLength]),
    [
      [0, PART_BYTES],
      [1, floeBytes(padmeLength(8 + size)) - PART_BYTES],
    ],
  )
  for (const { bytes, digest } of parts) assert.deepEqual(digest, sha256(bytes))
  assert.deepEqual(parts[0]?.contentDigest, parts[0]?.digest)
  assert.deepEqual(parts[1]?.contentDigest, sha256(whole))
})

test('results of nearly the same length have the same sealed length', async () => {
  const sizes = await Promise.all(
    [1000, 1010, 1016].map(async (size) =>
      Buffer.concat(bytesOf((await seal([contentOf(size)], size)).parts)),
    ),
  )
  assert.deepEqual(new Set(sizes.map(({ byteLength }) => byteLength)), new Set([floeBytes(1024)]))
})

test('content may come in chunks', async () => {
  const { wrappedDek, parts } = await seal([Buffer.from('ab'), Buffer.alloc(0), Buffer.from('c')], 3)
  const opened = openResult({
    resultId: ID,
    dek: unwrap(wrappedDek),
    parts: bytesOf(parts),
    cipher: nodeCipher,
  })
  assert.equal(Buffer.concat(await Array.fromAsync(opened)).toString(), 'abc')
})

for (const [difference, size] of [
  ['shorter', 1001],
  ['longer', 999],
] as const)
  test(`content that is ${difference} than announced is not sealed`, async () => {
    await assert.rejects(seal([contentOf(1000)], size), { code: 'input.changed' })
  })

test('the DEK is wiped once the parts are sealed', async () => {
  const drawn: Buffer[] = []
  const random = (bytes: number): Buffer => {
    const buffer = Buffer.alloc(bytes, 1)
    drawn.push(buffer)
    return buffer
  }
  const sealing = {
    resultId: ID,
    recipient: RECIPIENT,
    chunks: [],
    size: 0,
    cipher: nodeCipher,
    memory: plainMemory,
    random,
  }
  await Array.fromAsync(sealResult(sealing).parts)
  assert.deepEqual(drawn[0], Buffer.alloc(32))
})

const sealed = await seal([contentOf(1000)], 1000)
const dek = unwrap(sealed.wrappedDek)

test('a result does not open under the id of another', async () => {
  await assert.rejects(open(bytesOf(sealed.parts), 'cd'.repeat(32)), { code: 'object.unopened' })
})

test('a result that is cut does not open', async () => {
  const [whole = Buffer.alloc(0)] = bytesOf(sealed.parts)
  await assert.rejects(open([whole.subarray(0, whole.byteLength - 1)]), { code: 'object.unopened' })
})

const plaintexts = [
  { name: 'without a length field', plaintext: Buffer.alloc(7) },
  { name: 'of no bytes', plaintext: Buffer.alloc(0) },
  {
    name: 'with a bit set in its padding',
    plaintext: Buffer.concat([lengthField(9n), contentOf(9), Buffer.from([1])]),
  },
  { name: 'with a byte too little of padding', plaintext: Buffer.concat([lengthField(9n), contentOf(9)]) },
  {
    name: 'with an extra byte of padding',
    plaintext: Buffer.concat([lengthField(8n), contentOf(8), Buffer.alloc(1)]),
  },
  {
    name: 'that is shorter than its length field says',
    plaintext: Buffer.concat([lengthField(9n), contentOf(8)]),
  },
  { name: 'with a length beyond 2^53', plaintext: Buffer.concat([lengthField(2n ** 60n), contentOf(8)]) },
]
for (const { name, plaintext } of plaintexts)
  test(`a result ${name} does not open`, async () => {
    const aad = Buffer.concat([Buffer.from('confidential-worker/result/v1\0'), Buffer.from(ID, 'hex')])
    const ciphertext = sealFloe({
      dek,
      aad,
      chunks: [plaintext],
      size: plaintext.byteLength,
      cipher: nodeCipher,
      random: (bytes) => Buffer.alloc(bytes, 1),
      ownership: 'given',
      parameters: FLOE,
    })
    await assert.rejects(open(await Array.fromAsync(ciphertext)), { code: 'object.unopened' })
  })

const manifest = {
  parts: sealed.parts.map(({ bytes, digest }) => ({
    size: bytes.byteLength,
    digest: digest.toString('base64url'),
  })),
  contentDigest: sealed.parts.at(-1)?.contentDigest.toString('base64url') ?? '',
}
const [part = Buffer.alloc(0)] = bytesOf(sealed.parts)
const other = sha256(Buffer.from('other')).toString('base64url')

test('the parts of a manifest pass', async () => {
  assert.deepEqual(await Array.fromAsync(verifyParts(manifest, [part])), [part])
})

const foreign = [
  { name: 'a missing part', manifest, parts: [] },
  { name: 'a part too many', manifest, parts: [part, part] },
  { name: 'a part that is cut', manifest, parts: [part.subarray(1)] },
  {
    name: 'a part with another digest',
    manifest: { ...manifest, parts: [{ size: part.byteLength, digest: other }] },
    parts: [part],
  },
  {
    name: 'a part with another size',
    manifest: { ...manifest, parts: [{ size: 1, digest: manifest.contentDigest }] },
    parts: [part],
  },
  { name: 'another content digest', manifest: { ...manifest, contentDigest: other }, parts: [part] },
]
for (const { name, manifest, parts } of foreign)
  test(`${name} does not pass`, async () => {
    await assert.rejects(Array.fromAsync(verifyParts(manifest, parts)), { code: 'object.unopened' })
  })

async function seal(
  chunks: Chunks,
  size: number,
): Promise<{ readonly wrappedDek: Buffer; readonly parts: ResultPart[] }> {
  const { wrappedDek, parts } = sealResult({
    resultId: ID,
    recipient: RECIPIENT,
    chunks,
    size,
    memory: plainMemory,
    cipher: nodeCipher,
  })
  return { wrappedDek, parts: await Array.fromAsync(parts) }
}

function open(parts: Chunks, resultId = ID): Promise<Buffer[]> {
  return Array.fromAsync(openResult({ resultId, dek, parts, cipher: nodeCipher }))
}

function unwrap(wrapped: Buffer, key: KeyObject = privateKey): Buffer {
  return privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, wrapped)
}

function bytesOf(parts: readonly ResultPart[]): Buffer[] {
  return parts.map(({ bytes }) => bytes)
}

function lengthField(length: bigint): Buffer {
  const field = Buffer.alloc(8)
  field.writeBigUInt64BE(length)
  return field
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

function contentOf(size: number): Buffer {
  return Buffer.alloc(size, 'a line of a result\n')
}
