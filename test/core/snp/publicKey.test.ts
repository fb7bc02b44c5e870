import assert from 'node:assert/strict'
import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { test } from 'node:test'
import { toHex } from '#core/bytes.ts'
import { Malformed } from '#core/snp/der.ts'
import { ecdsaSigValueOf, importKey, isSignature, p384Of, rsa4096Of } from '#core/snp/publicKey.ts'

const spkiOf = (key: KeyObject) => key.export({ format: 'der', type: 'spki' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 4096 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const message = Buffer.from('signed')
const padding = constants.RSA_PKCS1_PSS_PADDING

test("an authority's key verifies only RSASSA-PSS with SHA-384, imported or not", () => {
  const key = rsa4096Of(spkiOf(rsa.publicKey))
  const imported = importKey(key)
  assert.equal(importKey(imported), imported)
  const signed = (hash: string, options: object) =>
    sign(hash, message, { key: rsa.privateKey, padding, ...options })
  for (const used of [key, imported]) {
    const holds = (signature: Buffer) => isSignature(signature, message, used)
    assert.equal(holds(signed('sha384', { saltLength: 48 })), true)
    for (const saltLength of [0, 20, 32, 47, 49, 64])
      assert.equal(holds(signed('sha384', { saltLength })), false)
    assert.equal(holds(signed('sha256', { saltLength: 48 })), false)
    assert.equal(holds(sign('sha384', message, rsa.privateKey)), false)
    assert.equal(holds(Buffer.alloc(512)), false)
    assert.equal(holds(Buffer.alloc(0)), false)
  }
})

test("an authority's key must be RSA-4096 with exponent 65537", () => {
  const good = spkiOf(rsa.publicKey)
  const short = Buffer.from(good)
  short.writeUInt8(short.readUInt8(33) & 0x7f, 33)
  const least = Buffer.from(good)
  least.writeUInt8(0x80, 33)
  assert.ok(rsa4096Of(least))
  const exponent = Buffer.from(good)
  exponent.writeUInt8(3, exponent.byteLength - 1)
  const other = generateKeyPairSync('rsa', { modulusLength: 3072 }).publicKey
  for (const spki of [
    short,
    exponent,
    spkiOf(other),
    spkiOf(ec.publicKey),
    good.subarray(1),
    Buffer.alloc(0),
  ])
    assert.throws(() => rsa4096Of(spki), Malformed)
})

test('an endorsement key verifies ECDSA with SHA-384, imported or not', () => {
  const key = p384Of(spkiOf(ec.publicKey))
  const signed = (hash: string) => sign(hash, message, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' })
  for (const used of [key, importKey(key)]) {
    assert.equal(isSignature(ecdsaSigValueOf(signed('sha384')), message, used), true)
    assert.equal(isSignature(ecdsaSigValueOf(signed('sha512')), message, used), false)
  }
})

test('an endorsement key must be an uncompressed point on P-384', () => {
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
  const good = spkiOf(ec.publicKey)
  const compressed = Buffer.from(good)
  compressed.writeUInt8(2, 23)
  for (const spki of [spkiOf(p256), spkiOf(rsa.publicKey), compressed, good.subarray(0, -1), Buffer.alloc(0)])
    assert.throws(() => p384Of(spki), Malformed)
  const off = Buffer.from(good)
  off.writeUInt8(off.readUInt8(119) ^ 1, 119)
  assert.throws(() => importKey(p384Of(off)), Malformed)
  assert.throws(() => isSignature(Buffer.alloc(8), message, p384Of(off)), Malformed)
})

for (const [r, s, der] of [
  ['01', '7f', '300602010102017f'],
  ['80', 'ff', '300802020080020200ff'],
  ['0001', '0080', '300702010102020080'],
] as const)
  test(`Ecdsa-Sig-Value of r ${r} and s ${s}`, () => {
    assert.equal(toHex(ecdsaSigValueOf(Buffer.from(r + s, 'hex'))), der)
  })
