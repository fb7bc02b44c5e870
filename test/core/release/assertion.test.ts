import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { jwtVerify, SignJWT } from 'jose'
import { fromBase64url, toBase64url } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { expandScopes, scopesDigest } from '#core/fhir/scope.ts'
import { importJwk, P384Jwk, thumbprint } from '#core/jwk.ts'
import { keySigner } from '#core/jws.ts'
import { signAssertion, verifyAssertion } from '#core/release/assertion.ts'
import { addSeconds } from '#core/time.ts'
import { AUDIENCE, ed25519, NOW, p384, workerKeys } from './releaseWorld.ts'

const key = p384()
const signer = keySigner(key)
const stranger = p384()
const nonce = randomBytes(61)
const wrapKey = thumbprint(workerKeys().wrapKey)
const asker = { client: 'acme', purpose: 'HRESCH' }
const binding = { audience: AUDIENCE, nonce, wrapKey, iat: NOW, jti: 'ab'.repeat(16) }
const expected = {
  clients: [
    { id: 'acme', keys: [P384Jwk.parse(signer.jwk)] },
    { id: 'other', keys: [P384Jwk.parse(keySigner(stranger).jwk)] },
  ],
  audience: AUDIENCE,
  nonce,
  wrapKey,
}
const assertion = await signAssertion(asker, binding, signer)
const claims: Record<string, unknown> = JSON.parse(fromBase64url(assertion.split('.')[1] ?? '').toString())

/** Signed by jose, which keeps the order of claims. Sorted, they are canonical. */
function byJose(changes: Record<string, unknown>, header = {}, signingKey = key): Promise<string> {
  const sorted = Object.entries({ ...claims, ...changes }).sort(([a], [b]) => (a < b ? -1 : 1))
  return new SignJWT(Object.fromEntries(sorted))
    .setProtectedHeader({ alg: 'ES384', kid: thumbprint(signer.jwk), typ: 'JWT', ...header })
    .sign(signingKey)
}

test('a verified assertion gives client and purpose', () => {
  for (const age of [-60, 0, 299])
    assert.deepEqual(verifyAssertion(assertion, expected, addSeconds(NOW, age)), {
      ...asker,
      scopesDigest: null,
    })
})

test('asked scopes are compared in their expanded form', async () => {
  const digest = scopesDigest(['system/Condition.rs', 'system/Observation.rs'])
  for (const scope of [
    'system/Condition.rs system/Observation.rs',
    'system/Observation.s system/Condition.read system/Observation.r system/Observation.s',
  ])
    assert.equal(verifyAssertion(await byJose({ scope }), expected, NOW).scopesDigest, digest)
})

const patients = (count: number) => Array.from({ length: count }, (_, at) => `system/Patient.rs?_tag=${at}`)

test('an asker may name scopes, in 2,048 characters', async () => {
  const ofLength = (scope: string, length: number) => scope.padEnd(length, 'x')
  const scope = [
    ...patients(10).map((one) => ofLength(one, 200)),
    ofLength('system/Patient.rs?_tag=y', 38),
  ].join(' ')
  assert.equal(scope.length, 2048)
  const signed = await signAssertion({ ...asker, scope }, binding, signer)
  assert.equal(
    verifyAssertion(signed, expected, NOW).scopesDigest,
    scopesDigest(expandScopes(scope.split(' '))),
  )
  await assert.rejects(signAssertion({ ...asker, scope: `${scope}y` }, binding, signer), {
    code: 'assertion.invalid',
  })
})

test('claims of more than 3,000 bytes are refused before they are parsed', async () => {
  const withBytes = async (bytes: number) => {
    const { length } = canonicalBytes({ ...claims, sub: '' })
    return byJose({ sub: 's'.repeat(bytes - length) })
  }
  const longest = await withBytes(3000)
  const longer = await withBytes(3001)
  const refusal = (message: RegExp) => ({ code: 'assertion.invalid', message })
  assert.throws(() => verifyAssertion(longest, expected, NOW), refusal(/malformed: sub/))
  assert.throws(() => verifyAssertion(longer, expected, NOW), refusal(/3001 bytes, the limit is 3000/))
})

test('64 scopes may be asked for', async () => {
  const { scopesDigest: digest } = await asking(patients(64).join(' '))
  assert.equal(digest, scopesDigest(expandScopes(patients(64))))
})

for (const [why, scope, code] of [
  ['65 scopes', patients(65).join(' '), 'scope.invalid'],
  ['two scopes of every type', 'system/*.rs?_tag=a system/*.rs?_tag=b', 'scope.invalid'],
  ['a text that is no scope', 'John_Doe,born_1971-01-01', 'scope.invalid'],
  ['no scope at all', '', 'assertion.invalid'],
  ['two spaces', 'system/Patient.rs  system/Observation.rs', 'assertion.invalid'],
  ['more than 2,048 characters', `system/Patient.rs ${'x'.repeat(2031)}`, 'assertion.invalid'],
] as const)
  test(`refused before its jobs are looked at: ${why}`, () =>
    assert.rejects(asking(scope), (error: Error) => {
      assert.equal('code' in error && error.code, code)
      assert.doesNotMatch(error.message, /John|_tag/)
      return true
    }))

async function asking(scope: string) {
  return verifyAssertion(await byJose({ scope }), expected, NOW)
}

test('it is a private_key_jwt of SMART: jose reads ours, we read those of jose', async () => {
  const { payload, protectedHeader } = await jwtVerify(assertion, importJwk(signer.jwk), {
    issuer: 'acme',
    subject: 'acme',
    audience: AUDIENCE,
    algorithms: ['ES384'],
    typ: 'JWT',
    currentDate: new Date(NOW * 1000),
  })
  assert.deepEqual(payload['cnf'], { jkt: wrapKey })
  assert.equal(payload.exp, NOW + 300)
  assert.deepEqual(protectedHeader, { alg: 'ES384', kid: thumbprint(signer.jwk), typ: 'JWT' })
  assert.equal(verifyAssertion(await byJose({}), expected, NOW).client, 'acme')
})

for (const { name, token, at } of [
  { name: 'that has expired', token: assertion, at: 300 },
  { name: 'from the future', token: assertion, at: -61 },
  { name: 'with too long a lifetime', token: await byJose({ exp: NOW + 301 }) },
  { name: 'that ends before it begins', token: await byJose({ exp: NOW + 1, iat: NOW + 2 }) },
  { name: 'that ends in the second in which it begins', token: await byJose({ exp: NOW }), at: -1 },
  { name: 'for another audience', token: await byJose({ aud: 'https://elsewhere.example' }) },
  { name: 'of another subject', token: await byJose({ sub: 'other' }) },
  { name: 'of another client, by our key', token: await byJose({ iss: 'other', sub: 'other' }) },
  { name: 'of an unknown client', token: await byJose({ iss: 'nobody', sub: 'nobody' }) },
  { name: 'by another key under our kid', token: await byJose({}, {}, stranger) },
  { name: 'with another nonce', token: await byJose({ nonce: toBase64url(randomBytes(61)) }) },
  { name: 'with another wrap key', token: await byJose({ cnf: { jkt: toBase64url(randomBytes(32)) } }) },
  { name: 'with an extra claim', token: await byJose({ nbf: NOW }) },
  { name: 'with an extra member in cnf', token: await byJose({ cnf: { jkt: wrapKey, kid: 'x' } }) },
  { name: 'without a purpose', token: await byJose({ purpose: '' }) },
  { name: 'with two spaces in its scope', token: await byJose({ scope: 'system/A.rs  system/B.rs' }) },
  { name: 'with another typ', token: await byJose({}, { typ: 'at+jwt' }) },
  { name: 'with an extra header member', token: await byJose({}, { cty: 'x' }) },
  { name: 'cut', token: assertion.slice(0, -4) },
  { name: 'that is not a JWS', token: 'a.b.c' },
])
  test(`refused: an assertion ${name}`, () => {
    assert.throws(() => verifyAssertion(token, expected, addSeconds(NOW, at ?? 0)), {
      name: 'CodedError',
      code: 'assertion.invalid',
    })
  })

test('a client key that cannot sign ES384 is config.invalid', async () => {
  await assert.rejects(signAssertion(asker, binding, keySigner(ed25519())), { code: 'config.invalid' })
})
