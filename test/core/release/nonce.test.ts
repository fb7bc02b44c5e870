import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkNonce, mintNonce, NONCE_BYTES, nonceTime } from '#core/release/nonce.ts'
import { addSeconds, toUnixSeconds } from '#core/time.ts'

const audience = 'https://verifier.hospital.example'
const iat = toUnixSeconds(1_800_000_000)
const current = { epoch: 8, key: randomBytes(32) }
const previous = { epoch: 7, key: randomBytes(32) }
const keys = [current, previous]
const nonce = mintNonce(current, audience, iat, randomBytes(16))

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
