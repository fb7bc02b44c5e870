/**
 * FLOE compared with known answers of its authors (Go, Java and Rust), which are not part of this repository.
 */
import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { nodeCipher } from '#core/sealed/cipher.ts'
import {
  FLOE,
  FLOE_HEADER_BYTES,
  type FloeParameters,
  floeBytes,
  segmentAad,
  segmentsUnderKey,
  startOpening,
  startSealing,
} from '#core/sealed/floe.ts'
import { openFloe } from '#core/sealed/floeOpen.ts'
import { sealFloe } from '#core/sealed/floeSeal.ts'

const FIXTURES = new URL('../../../../shared/fixtures/floe/', import.meta.url)
const skip = existsSync(FIXTURES) ? false : 'the known answers of FLOE are not beside this repository'
const KEY = Buffer.alloc(32)
const AAD = Buffer.from('This is AAD')

const answers = [
  ...['go', 'java', 'rust'].flatMap((language) => [
    { name: `${language}_GCM256_IV256_4K`, segmentBytes: 4096, rotationMask: 20 },
    { name: `${language}_GCM256_IV256_64`, segmentBytes: 64, rotationMask: 20 },
    { name: `${language}_rotation`, segmentBytes: 40, rotationMask: 2 },
  ]),
  { name: 'java_lastSegAligned', segmentBytes: 40, rotationMask: 20 },
  { name: 'java_lastSegEmpty', segmentBytes: 40, rotationMask: 20 },
]

for (const { name, segmentBytes, rotationMask } of answers) {
  const parameters = { segmentBytes, rotationMask }

  test(`${name}: the known ciphertext opens to the known plaintext`, { skip }, async () => {
    assert.deepEqual(await open(answer(name, 'ct'), parameters), answer(name, 'pt'))
  })

  test(`${name}: content sealed with these parameters opens and has the computed size`, {
    skip,
  }, async () => {
    const plaintext = answer(name, 'pt')
    const sealed = await seal(plaintext, parameters)
    assert.equal(sealed.byteLength, floeBytes(plaintext.byteLength, parameters))
    assert.deepEqual(await open(sealed, parameters), plaintext)
  })

  test(`${name}: cut at a segment border, it does not open`, { skip }, async () => {
    const ciphertext = answer(name, 'ct')
    for (let cut = FLOE_HEADER_BYTES; cut < ciphertext.byteLength; cut += segmentBytes)
      await assert.rejects(open(ciphertext.subarray(0, cut), parameters), { code: 'object.unopened' })
  })

  test(`${name}: with two segments swapped, it does not open`, { skip }, async () => {
    const ciphertext = answer(name, 'ct')
    const [first, second, third] = [0, 1, 2].map((n) => FLOE_HEADER_BYTES + n * segmentBytes)
    const swapped = Buffer.concat([
      ciphertext.subarray(0, first),
      ciphertext.subarray(second, third),
      ciphertext.subarray(first, second),
      ciphertext.subarray(third),
    ])
    await assert.rejects(open(swapped, parameters), { code: 'object.unopened' })
  })

  test(`${name}: with any byte of its header changed, it does not open`, { skip }, async () => {
    for (let at = 0; at < FLOE_HEADER_BYTES; at++) {
      const changed = Buffer.from(answer(name, 'ct'))
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
      await assert.rejects(open(changed, parameters), { code: 'object.unopened' })
    }
  })

  test(`${name}: with other associated data, it does not open`, { skip }, async () => {
    const opening = open(answer(name, 'ct'), parameters, { aad: Buffer.from('This is aad') })
    await assert.rejects(opening, { code: 'object.unopened' })
  })

  test(`${name}: under another key, it does not open`, { skip }, async () => {
    const opening = open(answer(name, 'ct'), parameters, { dek: Buffer.alloc(32, 1) })
    await assert.rejects(opening, { code: 'object.unopened' })
  })
}

test('rotation: with one key for all segments, the known answer does not open', { skip }, async () => {
  const opening = open(answer('go_rotation', 'ct'), { segmentBytes: 40, rotationMask: 20 })
  await assert.rejects(opening, { code: 'object.unopened' })
})

test('objects have segments of 256 KiB and a new key every 2^20 segments, as docs/formats/sealed.md says', () => {
  assert.deepEqual(FLOE, { segmentBytes: 2 ** 18, rotationMask: 20 })
})

for (const { position, isFinal, aad } of [
  { position: 0, isFinal: false, aad: '0000000000000000' + '00' },
  { position: 0, isFinal: true, aad: '0000000000000000' + '01' },
  { position: 2 ** 32 - 1, isFinal: false, aad: '00000000ffffffff' + '00' },
  { position: 2 ** 32, isFinal: false, aad: '0000000100000000' + '00' },
  { position: 5 * 2 ** 32 + 7, isFinal: true, aad: '0000000500000007' + '01' },
  { position: 2 ** 52 + 1, isFinal: false, aad: '0010000000000001' + '00' },
])
  test(`${isFinal ? 'the final segment' : 'a segment'} at ${position} is bound to its position and to the end`, () => {
    assert.equal(segmentAad(position, isFinal).toString('hex'), aad)
  })

for (const { position, rotationMask, expected } of [
  { position: 0, rotationMask: 2, expected: 4 },
  { position: 3, rotationMask: 2, expected: 1 },
  { position: 4, rotationMask: 2, expected: 4 },
  { position: 2 ** 20 + 1, rotationMask: 20, expected: 2 ** 20 - 1 },
])
  test(`of 2^${rotationMask}, ${expected} segments from ${position} on share a key`, () => {
    assert.equal(segmentsUnderKey(position, { segmentBytes: 40, rotationMask }), expected)
  })

test('the keys of a message are gone after their wipe, the message key included', () => {
  const parameters = { segmentBytes: 40, rotationMask: 2 }
  const { header, keys } = startSealing(KEY, AAD, randomBytes, parameters)
  const again = startOpening(KEY, AAD, header, parameters)
  const first = keys.segmentKey(0)
  assert.deepEqual(first, again.segmentKey(3))
  assert.notDeepEqual(first, again.segmentKey(4))
  keys.wipe()
  assert.deepEqual(first, Buffer.alloc(32))
  // A key of the next rotation comes from the message key, which is now zeros.
  const ofZeros = createHmac('sha384', Buffer.alloc(48))
    .update(header.subarray(0, 42))
    .update('DEK:')
    .update(Buffer.from([0, 0, 0, 0, 0, 0, 0, 4]))
    .update(AAD)
    .update(Buffer.of(1))
    .digest()
  assert.deepEqual(keys.segmentKey(4), ofZeros.subarray(0, 32))
})

function answer(name: string, part: 'ct' | 'pt'): Buffer {
  return Buffer.from(readFileSync(new URL(`${name}_${part}.txt`, FIXTURES), 'latin1').trim(), 'hex')
}

async function open(
  ciphertext: Uint8Array,
  parameters: FloeParameters,
  other: { readonly dek?: Uint8Array; readonly aad?: Uint8Array } = {},
): Promise<Buffer> {
  const opening = {
    dek: KEY,
    aad: AAD,
    ...other,
    chunks: [ciphertext],
    cipher: nodeCipher,
    ownership: 'given' as const,
    parameters,
  }
  return Buffer.concat(await Array.fromAsync(openFloe(opening)))
}

async function seal(plaintext: Uint8Array, parameters: FloeParameters): Promise<Buffer> {
  const sealing = {
    dek: KEY,
    aad: AAD,
    chunks: [plaintext],
    size: plaintext.byteLength,
    cipher: nodeCipher,
    random: randomBytes,
    ownership: 'given' as const,
    parameters,
  }
  return Buffer.concat(await Array.fromAsync(sealFloe(sealing)))
}
