/** DER has one encoding per value (X.690 §10, §11). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  integerOf,
  isTrue,
  Malformed,
  octetsOf,
  oidOf,
  parseDer,
  sequenceOf,
  unsignedOf,
} from '#core/snp/der.ts'
import { integer, oid, sequence } from '#lab/amd/der.ts'

const hex = (text: string) => Buffer.from(text, 'hex')

for (const [name, text] of [
  ['no bytes', ''],
  ['only a tag', '02'],
  ['a missing byte', '020201'],
  ['an additional byte', '02010100'],
  ['an indefinite length', '30800000'],
  ['a reserved length', '02ff01'],
  ['a long length that fits the short form', '02810101'],
  ['a length with a leading zero', `0282007f${'00'.repeat(127)}`],
  ['a length of 128 in two octets', `04820080${'00'.repeat(128)}`],
  ['a length of four octets', '04840000000100'],
  ['a truncated length', '0482'],
  ['a length beyond the end', '04827fff00'],
  ['a tag of two octets', '1f0100'],
] as const)
  test(`refuses ${name}`, () => {
    assert.throws(() => parseDer(hex(text)), Malformed)
  })

test('a length of 128 takes two octets, of 256 three', () => {
  assert.equal(octetsOf(parseDer(hex(`048180${'00'.repeat(128)}`))).byteLength, 128)
  assert.equal(octetsOf(parseDer(hex(`04820100${'00'.repeat(256)}`))).byteLength, 256)
})

test('an inner value may not end beyond its sequence', () => {
  assert.throws(() => sequenceOf(parseDer(hex('300302020102'.slice(0, 10)))), Malformed)
  assert.deepEqual(
    sequenceOf(parseDer(hex('3006020101020102'))).map((row) => integerOf(row, 9)),
    [1, 2],
  )
})

for (const text of ['0200', '0201ff', '0202007f', '02020000', '020180', '0401ff', '02050100000000'])
  test(`the INTEGER ${text} is refused: it is not 0 to 2^32 - 1 in DER`, () => {
    assert.throws(() => integerOf(parseDer(hex(text)), 2 ** 32 - 1), Malformed)
  })

test('an INTEGER has a limit, in value and in bytes', () => {
  assert.equal(integerOf(parseDer(hex('020200ff')), 255), 255)
  assert.throws(() => integerOf(parseDer(hex('020200ff')), 254), Malformed)
  assert.equal(unsignedOf(parseDer(hex('0203020001')), 3).toString('hex'), '020001')
  assert.throws(() => unsignedOf(parseDer(hex('0203020001')), 2), Malformed)
})

for (const text of [
  '0600',
  '060180',
  '06028001',
  '06058180808001',
  '06022a80',
  '06032a8001',
  '06062a8180808001',
  '060101ff'.slice(0, 8),
])
  test(`the OBJECT IDENTIFIER ${text} is refused`, () => {
    assert.throws(() => oidOf(parseDer(hex(text))), Malformed)
  })

test('the first arcs may take four octets', () => {
  assert.equal(oidOf(parseDer(hex('060481808001'))), '2.2097073')
})

test('only ff is TRUE', () => {
  assert.equal(isTrue(parseDer(hex('0101ff'))), true)
  for (const text of ['010101', '010100', '0102ffff', '0100'])
    assert.equal(isTrue(parseDer(hex(text))), false)
})

test('written values are read again', () => {
  const arc = fc.nat(2 ** 28 - 1)
  const dotted = fc.tuple(
    fc.constantFrom('0.0', '1.3', '1.39', '2.5', '2.40'),
    fc.array(arc, { maxLength: 9 }),
  )
  fc.assert(
    fc.property(dotted, fc.nat(), ([head, arcs], value) => {
      const name = [head, ...arcs].join('.')
      const [first, second] = sequenceOf(parseDer(sequence(oid(name), integer(value))))
      assert.equal(oidOf(first), name)
      assert.equal(integerOf(second, value), value)
    }),
  )
})
