import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  fromBase64url,
  fromHex,
  fromUtf8,
  isZero,
  sameBytes,
  sha256,
  sha384,
  sha512,
  toBase32,
  toBase64url,
  toHex,
  utf8,
  viewOf,
} from '#core/bytes.ts'

const bytes = (...values: readonly number[]) => Uint8Array.from(values)

test('base64url and hex round-trip, and each value has one text', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (value) => {
      assert.deepEqual(new Uint8Array(fromBase64url(toBase64url(value))), value)
      assert.deepEqual(new Uint8Array(fromHex(toHex(value))), value)
    }),
  )
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'AQgwZ_-=+/ '), maxLength: 6 }), (text) => {
      try {
        assert.equal(toBase64url(fromBase64url(text)), text)
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, 'encoding.invalid')
      }
    }),
  )
})

for (const [what, text] of [
  ['padding', 'AA=='],
  ['the other alphabet', '+/8'],
  ['white space', 'AA\n'],
  ['an impossible length', 'AAAAA'],
  ['bits after the last byte', 'AB'],
] as const)
  test(`base64url refuses ${what}`, () => {
    assert.throws(() => fromBase64url(text, 'nonce'), {
      code: 'encoding.invalid',
      message: 'nonce is not unpadded base64url',
    })
  })

for (const [what, text] of [
  ['upper case', 'AB'],
  ['half a byte', 'abc'],
  ['foreign characters', '0x'],
] as const)
  test(`hex refuses ${what}`, () => {
    assert.throws(() => fromHex(text), { code: 'encoding.invalid', message: 'value is not lower-case hex' })
  })

// RFC 4648 §10, in lower case and without padding.
for (const [text, expected] of [
  ['', ''],
  ['f', 'my'],
  ['fo', 'mzxq'],
  ['foo', 'mzxw6'],
  ['foob', 'mzxw6yq'],
  ['fooba', 'mzxw6ytb'],
  ['foobar', 'mzxw6ytboi'],
] as const)
  test(`base32 of "${text}"`, () => assert.equal(toBase32(utf8(text)), expected))

test('base32 carries five bits per character', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (value) => {
      const binary = [...value].map((byte) => byte.toString(2).padStart(8, '0')).join('')
      const letters = (binary.match(/.{1,5}/g) ?? []).map(
        (bits) => 'abcdefghijklmnopqrstuvwxyz234567'[Number.parseInt(bits.padEnd(5, '0'), 2)],
      )
      assert.equal(toBase32(value), letters.join(''))
    }),
  )
})

test('decodes only valid UTF-8, and keeps a BOM', () => {
  assert.equal(fromUtf8(bytes(0xef, 0xbb, 0xbf, 0x61)), '\ufeffa')
  for (const broken of [
    bytes(0x80),
    bytes(0xc0, 0x80),
    bytes(0xed, 0xa0, 0x80),
    bytes(0xf4, 0x90, 0x80, 0x80),
  ])
    assert.throws(() => fromUtf8(broken, 'line'), { code: 'encoding.invalid', message: 'line is not UTF-8' })
})

// FIPS 180-2 appendix B.1 and its companions for the other lengths; the parts are hashed as one message.
for (const [name, digest, expected] of [
  ['SHA-256', sha256, 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'SHA-384',
    sha384,
    'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7',
  ],
  [
    'SHA-512',
    sha512,
    'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
  ],
] as const)
  test(`${name} of "abc", in one part and in three`, () => {
    assert.equal(toHex(digest(utf8('abc'))), expected)
    assert.equal(toHex(digest(utf8('a'), utf8(''), utf8('bc'))), expected)
  })

test('compares bytes by length and content', () => {
  assert.equal(sameBytes(bytes(1, 2), bytes(1, 2)), true)
  assert.equal(sameBytes(bytes(1, 2), bytes(1, 3)), false)
  assert.equal(sameBytes(bytes(1, 2), bytes(1, 2, 0)), false)
  assert.equal(sameBytes(bytes(), bytes()), true)
})

test('bytes are zero if every byte is zero', () => {
  assert.equal(isZero(bytes()), true)
  assert.equal(isZero(bytes(0, 0)), true)
  assert.equal(isZero(bytes(0, 1)), false)
  assert.equal(isZero(bytes(0x80, 0)), false)
})

test('texts and views of a part of a buffer cover only that part', () => {
  const part = Buffer.from('00010203', 'hex').subarray(1, 3)
  assert.equal(toHex(part), '0102')
  assert.equal(toBase64url(part), 'AQI')
  assert.equal(viewOf(part).byteLength, 2)
  assert.equal(viewOf(part).getUint16(0), 0x0102)
})
