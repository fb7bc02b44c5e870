import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { padmeLength } from '#core/sealed/padme.ts'

// Computed by hand from the definition: E = floor(log2 L), S = floor(log2 E) + 1, the last E - S bits become
// zero.
const lengths = [
  [0, 0],
  [1, 1],
  [2, 2],
  [8, 8],
  [9, 10],
  [15, 16],
  [16, 16],
  [17, 18],
  [1000, 1024],
  [1025, 1088],
  [65_537, 67_584],
  [2 ** 32 + 1, 2 ** 32 + 2 ** 26],
  [2 ** 49 - 1, 2 ** 49],
] as const

for (const [bytes, padded] of lengths)
  test(`${bytes} bytes are padded to ${padded}`, () => assert.equal(padmeLength(bytes), padded))

test('a padded length is a fixed point, never shorter, and at most 12 % longer', () => {
  fc.assert(
    fc.property(fc.integer({ min: 8, max: 2 ** 50 }), (bytes) => {
      const padded = padmeLength(bytes)
      assert.equal(padmeLength(padded), padded)
      assert.ok(padded >= bytes && padded <= bytes * 1.12 + 1)
    }),
  )
})

/** The definition in whole numbers. */
function exactly(bytes: bigint): bigint {
  const exponent = bytes.toString(2).length - 1
  const unit = 2n ** BigInt(exponent - exponent.toString(2).length)
  return ((bytes + unit - 1n) / unit) * unit
}

test('lengths around every power of two are padded exactly, even if a logarithm rounds', () => {
  for (let exponent = 2; exponent <= 53; exponent++)
    for (let distance = -300; distance <= 300; distance++) {
      const bytes = 2 ** exponent + distance
      if (bytes >= 2 && Number.isSafeInteger(bytes))
        assert.equal(BigInt(padmeLength(bytes)), exactly(BigInt(bytes)), `${bytes}`)
    }
})

test('every length is padded exactly', () => {
  fc.assert(
    fc.property(
      fc.maxSafeNat().filter((bytes) => bytes >= 2),
      (bytes) => {
        assert.equal(BigInt(padmeLength(bytes)), exactly(BigInt(bytes)))
      },
    ),
  )
})
