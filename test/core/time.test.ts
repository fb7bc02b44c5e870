import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addSeconds, parseRfc3339, toRfc3339, toUnixSeconds } from '#core/time.ts'

const LAST = 253_402_300_799

for (const [seconds, text] of [
  [0, '1970-01-01T00:00:00Z'],
  [951_782_399, '2000-02-28T23:59:59Z'],
  [951_782_400, '2000-02-29T00:00:00Z'],
  [4_107_542_400, '2100-03-01T00:00:00Z'],
  [1_709_164_800, '2024-02-29T00:00:00Z'],
  [2_147_483_648, '2038-01-19T03:14:08Z'],
  [LAST, '9999-12-31T23:59:59Z'],
] as const)
  test(`${text} is ${seconds}`, () => {
    assert.equal(toRfc3339(toUnixSeconds(seconds)), text)
    assert.equal(parseRfc3339(text), seconds)
  })

test("agrees with JavaScript's calendar on every second", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: LAST }), (seconds) => {
      const text = toRfc3339(toUnixSeconds(seconds))
      assert.equal(text, new Date(seconds * 1000).toISOString().replace('.000', ''))
      assert.equal(parseRfc3339(text), seconds)
    }),
  )
})

for (const [what, text] of [
  ['a day beyond its month', '2025-02-29T00:00:00Z'],
  ['month 0', '2025-00-01T00:00:00Z'],
  ['month 13', '2025-13-01T00:00:00Z'],
  ['hour 24', '2025-01-01T24:00:00Z'],
  ['a leap second', '2016-12-31T23:59:60Z'],
  ['a fraction', '2025-01-01T00:00:00.5Z'],
  ['an offset', '2025-01-01T00:00:00+00:00'],
  ['lower case', '2025-01-01t00:00:00z'],
  ['a time before 1970', '1969-12-31T00:00:00Z'],
  ['only a date', '2025-01-01'],
  ['a time with a trailing blank', '2025-01-01T00:00:00Z '],
  ['nothing', ''],
] as const)
  test(`refuses ${what}`, () => {
    assert.throws(() => parseRfc3339(text, 'notAfter'), {
      code: 'encoding.invalid',
      message: 'notAfter is not a UTC time such as 2026-01-31T12:00:00Z',
    })
  })

for (const value of [-1, 0.5, Number.NaN, LAST + 1, Number.POSITIVE_INFINITY])
  test(`refuses ${value} as a time`, () => {
    assert.throws(() => toUnixSeconds(value, 'iat'), {
      code: 'encoding.invalid',
      message: 'iat is not a time in whole seconds from 1970 to 9999',
    })
  })

test('a sum of seconds stays within years of four digits', () => {
  assert.equal(addSeconds(toUnixSeconds(10), -10), 0)
  assert.throws(() => addSeconds(toUnixSeconds(10), -11), { code: 'encoding.invalid' })
  assert.throws(() => addSeconds(toUnixSeconds(LAST), 1), { code: 'encoding.invalid' })
})
