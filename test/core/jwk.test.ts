import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { checkShape } from '#core/canonical.ts'
import { Ed25519Jwk, exportJwk, importJwk, P256Jwk, P384Jwk, RsaJwk, thumbprint } from '#core/jwk.ts'

// RFC 8037 appendix A.2 and A.3.
const ed25519 = {
  kty: 'OKP',
  crv: 'Ed25519',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
} as const

// RFC 7638 §3.1.
const rsa = {
  kty: 'RSA',
  n: '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
  e: 'AQAB',
} as const

test('thumbprints match RFC 8037 and RFC 7638', () => {
  assert.equal(thumbprint(ed25519), 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  assert.equal(thumbprint(rsa), 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs')
})

test('a thumbprint does not depend on the order of members', () => {
  const { kty, crv, x } = ed25519
  assert.equal(thumbprint({ x, crv, kty }), thumbprint(ed25519))
})

for (const { name, pair, schema } of [
  { name: 'P-256', pair: generateKeyPairSync('ec', { namedCurve: 'P-256' }), schema: P256Jwk },
  { name: 'P-384', pair: generateKeyPairSync('ec', { namedCurve: 'P-384' }), schema: P384Jwk },
  { name: 'Ed25519', pair: generateKeyPairSync('ed25519'), schema: Ed25519Jwk },
  { name: 'RSA', pair: generateKeyPairSync('rsa', { modulusLength: 2048 }), schema: RsaJwk },
] as const)
  test(`a key of ${name} is exported by its public half and imported again`, () => {
    const jwk = exportJwk(pair.privateKey)
    assert.deepEqual(exportJwk(pair.publicKey), jwk)
    assert.deepEqual(checkShape(schema, jwk, 'key', 'encoding.invalid'), jwk)
    assert.ok(importJwk(jwk).equals(createPublicKey(pair.privateKey)))
  })

for (const [what, jwk] of [
  ['another member', { ...ed25519, kid: 'a' }],
  ['a private half', { ...ed25519, d: ed25519.x }],
  ['a short coordinate', { ...ed25519, x: ed25519.x.slice(1) }],
  ['a long coordinate', { ...ed25519, x: `${ed25519.x}A` }],
  ['another curve', { ...ed25519, crv: 'X25519' }],
] as const)
  test(`refuses a key with ${what}`, () => {
    assert.throws(() => checkShape(Ed25519Jwk, jwk, 'key', 'grant.invalid'), { code: 'grant.invalid' })
  })

for (const [what, jwk] of [
  ['another exponent', { ...rsa, e: 'Aw' }],
  ['1024 bits', { ...rsa, n: rsa.n.slice(0, 171) }],
] as const)
  test(`refuses an RSA key with ${what}`, () => {
    assert.throws(() => checkShape(RsaJwk, jwk, 'key', 'grant.invalid'), { code: 'grant.invalid' })
  })

test('refuses a point off its curve', () => {
  const coordinate = Buffer.alloc(32, 1).toString('base64url')
  assert.throws(() => importJwk({ kty: 'EC', crv: 'P-256', x: coordinate, y: coordinate }), {
    code: 'encoding.invalid',
    message: 'a EC key is not a valid public key',
  })
})

for (const [name, key] of [
  ['P-521', generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey],
  ['X25519', generateKeyPairSync('x25519').publicKey],
] as const)
  test(`refuses a key of the unsupported kind ${name}`, () => {
    assert.throws(() => exportJwk(key), { code: 'encoding.invalid' })
  })
