import assert from 'node:assert/strict'
import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { test } from 'node:test'
import { derToRaw } from '#adapters/oci/ecdsa.ts'

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })

test('every DER signature becomes the r ‖ s that verifies', () => {
  // Among this many there are values whose leading zeros DER drops, or needs.
  for (let round = 0; round < 300; round += 1) {
    const message = Buffer.from(`message ${round}`)
    const raw = derToRaw(sign('sha384', message, privateKey), 48)
    assert.equal(raw.byteLength, 96)
    assert.ok(verify('sha384', message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, raw))
  }
})

test('reads the long length of a P-521 signature', () => {
  const long = generateKeyPairSync('ec', { namedCurve: 'P-521' })
  const message = Buffer.from('message')
  for (let round = 0; round < 20; round += 1) {
    const raw = derToRaw(sign('sha512', message, long.privateKey), 66)
    assert.ok(verify('sha512', message, { key: long.publicKey, dsaEncoding: 'ieee-p1363' }, raw))
  }
})

const cases: readonly { name: string; der: string }[] = [
  { name: 'nothing', der: '' },
  { name: 'another tag', der: '3106020101020101' },
  { name: 'bytes behind the sequence', der: '300602010102010100' },
  { name: 'bytes behind the integers', der: '300702010102010100' },
  { name: 'a sequence cut short', der: '30060201010201' },
  { name: 'a negative integer', der: '3006020181020101' },
  { name: 'an integer with a superfluous zero', der: '300702020001020101' },
  { name: 'an empty integer', der: '30050200020101' },
  { name: 'a long length that fits the short form', der: '308106020101020101' },
  { name: 'an indefinite length', der: '3080020101020101' },
  { name: 'an integer wider than the curve', der: `303602313${'1'.repeat(97)}020101` },
]
for (const { name, der } of cases)
  test(`refused: ${name}`, () => {
    assert.throws(() => derToRaw(Buffer.from(der, 'hex'), 48), { code: 'service.failed' })
  })
