import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  checkNonce,
  mintNonce,
  NONCE_BYTES,
  NONCE_KEY_BYTES,
  NONCE_RANDOM_BYTES,
  nonceTime,
} from '#core/release/nonce.ts'
import { addSeconds, toUnixSeconds } from '#core/time.ts'

const audience = 'https://verifier.hospital.example'
const iat = toUnixSeconds(1_800_000_000)
const current = { epoch: 8, key: randomBytes(32) }
const previous = { epoch: 7, key: randomBytes(32) }
const keys = [current, previous]
const nonce = mintNonce(current, audience, iat, randomBytes(16))

test('a nonce has 61 bytes: version, epoch, time, 16 of chance and a MAC, under a key of 32', () => {
  assert.deepEqual([NONCE_BYTES, NONCE_RANDOM_BYTES, NONCE_KEY_BYTES], [61, 16, 32])
  const random = Buffer.alloc(16, 0xaa)
  const minted = mintNonce({ epoch: 0x01020304, key: current.key }, audience, iat, random)
  const time = Buffer.alloc(8)
  time.writeBigUInt64BE(BigInt(iat))
  assert.deepEqual(minted.subarray(0, 29), Buffer.concat([Buffer.of(1, 1, 2, 3, 4), time, random]))
  for (const wrong of [random.subarray(1), Buffer.alloc(17)])
    assert.throws(() => mintNonce(current, audience, iat, wrong), { code: 'internal.fault' })
})

test('a nonce is valid for five minutes, under either epoch', () => {
  assert.equal(nonce.byteLength, NONCE_BYTES)
  assert.equal(nonceTime(nonce), iat)
  for (const key of keys) {
    const minted = mintNonce(key, audience, iat, randomBytes(16))
    for (const age of [-30, 0, 299])
      assert.equal(checkNonce(minted, keys, audience, addSeconds(iat, age)), iat)
  }
})

for (const { name, code, check } of [
  {
    name: 'five minutes old',
    code: 'nonce.expired',
    check: () => checkNonce(nonce, keys, audience, addSeconds(iat, 300)),
  },
  {
    name: 'from the future',
    code: 'nonce.invalid',
    check: () => checkNonce(nonce, keys, audience, addSeconds(iat, -31)),
  },
  {
    name: 'for another audience',
    code: 'nonce.invalid',
    check: () => checkNonce(nonce, keys, `${audience}:1`, iat),
  },
  {
    name: 'of a retired epoch',
    code: 'nonce.invalid',
    check: () => checkNonce(nonce, [previous], audience, iat),
  },
  {
    name: 'of the right epoch under another key',
    code: 'nonce.invalid',
    check: () => checkNonce(nonce, [{ epoch: 8, key: previous.key }], audience, iat),
  },
  { name: 'cut', code: 'nonce.invalid', check: () => checkNonce(nonce.subarray(0, -1), keys, audience, iat) },
  {
    name: 'lengthened',
    code: 'nonce.invalid',
    check: () => checkNonce(Buffer.concat([nonce, Buffer.alloc(1)]), keys, audience, iat),
  },
  {
    name: 'of another version',
    code: 'nonce.invalid',
    check: () => checkNonce(Buffer.concat([Buffer.of(2), nonce.subarray(1)]), keys, audience, iat),
  },
])
  test(`refused: a nonce ${name}`, () => {
    assert.throws(check, { name: 'CodedError', code })
  })

test('refused: every beginning of a nonce, and a later version by our key', () => {
  for (let length = 0; length < NONCE_BYTES; length += 1)
    assert.throws(() => checkNonce(nonce.subarray(0, length), keys, audience, iat), { code: 'nonce.invalid' })
  const stated = Buffer.concat([Buffer.of(2), nonce.subarray(1, 29)])
  const mac = createHmac('sha256', current.key)
    .update(`confidential-worker/nonce/v1\0`)
    .update(stated)
    .update(audience)
    .digest()
  assert.throws(() => checkNonce(Buffer.concat([stated, mac]), keys, audience, iat), {
    code: 'nonce.invalid',
  })
})

test('an old nonce that is not ours is invalid, not expired', () => {
  const foreign = mintNonce({ epoch: 8, key: randomBytes(32) }, audience, iat, randomBytes(16))
  assert.throws(() => checkNonce(foreign, keys, audience, addSeconds(iat, 4000)), { code: 'nonce.invalid' })
})

test('every flipped bit is refused', () => {
  fc.assert(
    fc.property(fc.nat(NONCE_BYTES * 8 - 1), (bit) => {
      const flipped = Buffer.from(nonce)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      assert.throws(() => checkNonce(flipped, keys, audience, iat), { code: 'nonce.invalid' })
    }),
  )
})
