import assert from 'node:assert/strict'
import { generateKeyPairSync, sign as signWith } from 'node:crypto'
import { test } from 'node:test'
import { compactVerify, importJWK } from 'jose'
import { z } from 'zod'
import { fromBase64url, toBase64url, utf8 } from '#core/bytes.ts'
import { canonicalBytes, defineFormat } from '#core/canonical.ts'
import { thumbprint } from '#core/jwk.ts'
import {
  defineSigned,
  type GeneralJws,
  keySigner,
  parseGeneral,
  peekCompact,
  type Signer,
  signCompact,
  signGeneral,
  verifyCompact,
  verifyQuorum,
} from '#core/jws.ts'

const Sample = defineFormat({
  name: 'sample',
  maxBytes: 100,
  code: 'record.malformed',
  schema: z.strictObject({ n: z.int() }),
})
const Format = defineSigned('cw-sample', Sample)
const Other = defineSigned('cw-other', Sample)

const newSigner = (kind: 'ed25519' | 'P-384') =>
  keySigner(
    kind === 'ed25519'
      ? generateKeyPairSync('ed25519').privateKey
      : generateKeyPairSync('ec', { namedCurve: kind }).privateKey,
  )
const ed = newSigner('ed25519')
const ec = newSigner('P-384')
const stranger = newSigner('ed25519')
const keys = [ed.jwk, ec.jwk]
const headerOf = (signer: Signer) => ({
  alg: signer.jwk.kty === 'OKP' ? 'EdDSA' : 'ES384',
  kid: thumbprint(signer.jwk),
  typ: 'cw-sample',
})

/** A compact JWS with a valid signature over any header and payload. */
async function forge(
  signer: Signer,
  header: Uint8Array,
  payload: Uint8Array,
  length = Number.MAX_SAFE_INTEGER,
) {
  const input = `${toBase64url(header)}.${toBase64url(payload)}`
  return `${input}.${toBase64url((await signer.sign(utf8(input))).subarray(0, length))}`
}
const payload = canonicalBytes({ n: 1 })
const good = await signCompact(Format, { n: 1 }, ed)
const [head = '', body = '', signature = ''] = good.split('.')
const flipped = Buffer.from(signature, 'base64url')
flipped[0] = (flipped[0] ?? 0) ^ 1

for (const signer of [ed, ec])
  test(`${headerOf(signer).alg}: the header names the signer, and another library verifies the signature`, async () => {
    const jws = await signCompact(Format, { n: 1 }, signer)
    const expected = { payload: { n: 1 }, kid: thumbprint(signer.jwk) }
    assert.deepEqual(verifyCompact(Format, jws, keys, 'grant.invalid'), expected)
    assert.deepEqual(peekCompact(Format, jws, 'grant.invalid'), expected)
    const theirs = await compactVerify(jws, await importJWK(signer.jwk, headerOf(signer).alg))
    assert.deepEqual(theirs.protectedHeader, headerOf(signer))
    assert.equal(Buffer.from(theirs.payload).toString(), '{"n":1}')
  })

for (const { name, jws, code = 'grant.invalid', of = keys } of [
  { name: 'by an untrusted key', jws: await signCompact(Format, { n: 1 }, stranger) },
  { name: 'without any trusted key', jws: good, of: [] },
  { name: 'of another type', jws: await signCompact(Other, { n: 1 }, ed) },
  { name: 'with a changed payload', jws: `${head}.${toBase64url(canonicalBytes({ n: 2 }))}.${signature}` },
  { name: 'with a changed signature', jws: `${head}.${body}.${toBase64url(flipped)}` },
  { name: 'without a signature', jws: `${head}.${body}.` },
  { name: 'of two parts', jws: `${head}.${body}` },
  { name: 'of four parts', jws: `${good}.` },
  { name: 'with padding', jws: `${good}=` },
  { name: 'too long to be decoded', jws: `${head}.${'A'.repeat(1200)}.${signature}` },
  { name: 'with a cut signature', jws: await forge(ed, canonicalBytes(headerOf(ed)), payload, 63) },
  {
    name: 'that names ES384 for an Ed25519 key',
    jws: await forge(ed, canonicalBytes({ ...headerOf(ed), alg: 'ES384' }), payload),
  },
  {
    name: 'that names EdDSA for a P-384 key',
    jws: await forge(ec, canonicalBytes({ ...headerOf(ec), alg: 'EdDSA' }), payload),
  },
  {
    name: 'without an algorithm',
    jws: await forge(ed, canonicalBytes({ ...headerOf(ed), alg: 'none' }), payload),
  },
  {
    name: 'with a critical extension',
    jws: await forge(ed, canonicalBytes({ ...headerOf(ed), crit: ['b64'] }), payload),
  },
  {
    name: 'without a kid',
    jws: await forge(ed, canonicalBytes({ alg: 'EdDSA', typ: 'cw-sample' }), payload),
  },
  {
    name: 'with a kid that is not a thumbprint',
    jws: await forge(ed, canonicalBytes({ ...headerOf(ed), kid: `${'a'.repeat(42)}\n` }), payload),
  },
  {
    name: 'with a header out of order',
    jws: await forge(
      ed,
      utf8(JSON.stringify({ ...headerOf(ed), alg: 'EdDSA' }, ['typ', 'kid', 'alg'])),
      payload,
    ),
  },
  {
    name: 'with a payload that violates its schema',
    code: 'record.malformed',
    jws: await forge(ed, canonicalBytes(headerOf(ed)), canonicalBytes({ n: 'x' })),
  },
  {
    name: 'with a payload that is not canonical',
    code: 'record.malformed',
    jws: await forge(ed, canonicalBytes(headerOf(ed)), utf8('{"n": 1}')),
  },
] as const)
  test(`refuses a document ${name}`, () => {
    assert.throws(() => verifyCompact(Format, jws, of, 'grant.invalid'), { code })
  })

for (const { name, jws, message } of [
  {
    name: 'a length beyond the format',
    jws: `${head}.${'A'.repeat(1200)}.${signature}`,
    message: 'sample is not a compact JWS',
  },
  {
    name: 'a kid that could break a log line',
    jws: await forge(ed, canonicalBytes({ ...headerOf(ed), kid: `${'a'.repeat(42)}\n` }), payload),
    message: 'protected header is malformed: kid: must be 32 bytes in unpadded base64url',
  },
])
  test(`${name} is refused before a key is looked up`, () => {
    assert.throws(() => verifyCompact(Format, jws, keys, 'grant.invalid'), { code: 'grant.invalid', message })
  })

test('refuses a P-384 signature in DER', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const signer = keySigner(privateKey)
  const der: Signer = { jwk: signer.jwk, sign: async (message) => signWith('sha384', message, privateKey) }
  const jws = await signCompact(Format, { n: 1 }, der)
  assert.throws(() => verifyCompact(Format, jws, [signer.jwk], 'grant.invalid'), { code: 'grant.invalid' })
})

test('peeking is as strict about form as verifying', async () => {
  assert.throws(() => peekCompact(Other, good, 'grant.invalid'), { code: 'grant.invalid' })
  assert.throws(() => peekCompact(Format, `${good}.`, 'grant.invalid'), { code: 'grant.invalid' })
})

test('does not sign a document that violates its schema', async () => {
  await assert.rejects(signCompact(Format, { n: 0.5 }, ed), { code: 'record.malformed' })
  await assert.rejects(signGeneral(Format, { n: 0.5 }, [ed]), { code: 'record.malformed' })
})

for (const [name, privateKey] of [
  ['P-256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey],
  ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
] as const)
  test(`refuses a signer with a key of ${name}`, () => {
    assert.throws(() => keySigner(privateKey), {
      code: 'encoding.invalid',
      message: 'a signer needs Ed25519 or P-384',
    })
  })

// Anna has two keys: a quorum counts persons.
const annasOther = newSigner('ed25519')
const carl = newSigner('ed25519')
const root = {
  threshold: 2,
  keys: [
    { person: 'anna', jwk: ed.jwk },
    { person: 'anna', jwk: annasOther.jwk },
    { person: 'bert', jwk: ec.jwk },
    { person: 'carl', jwk: carl.jwk },
  ],
}
const quorum = (jws: GeneralJws) => verifyQuorum(Format, jws, root, 'policy.invalid')

test('two persons make a quorum, and signatures by strangers are ignored', async () => {
  const expected = { payload: { n: 1 }, persons: ['anna', 'bert'] }
  assert.deepEqual(quorum(await signGeneral(Format, { n: 1 }, [ec, ed])), expected)
  assert.deepEqual(quorum(await signGeneral(Format, { n: 1 }, [stranger, ed, ec])), expected)
  assert.deepEqual(quorum(await signGeneral(Format, { n: 1 }, [ed, annasOther, ec])), expected)
})

const signed = await signGeneral(Format, { n: 1 }, [ed, ec])
const [first, second] = signed.signatures
assert.ok(first && second)

const refusedQuorums: readonly { name: string; jws: GeneralJws; code?: string }[] = [
  { name: 'one person', jws: await signGeneral(Format, { n: 1 }, [ed]) },
  { name: 'one person with two keys', jws: await signGeneral(Format, { n: 1 }, [ed, annasOther]) },
  { name: 'one signature twice', jws: { ...signed, signatures: [first, first] } },
  { name: 'one person and a stranger', jws: await signGeneral(Format, { n: 1 }, [ed, stranger]) },
  {
    name: 'two persons for another payload',
    jws: { ...signed, payload: toBase64url(canonicalBytes({ n: 2 })) },
  },
  { name: 'two persons for another type', jws: await signGeneral(Other, { n: 1 }, [ed, ec]) },
  {
    name: 'two persons, and a third whose signature is wrong',
    jws: {
      ...signed,
      signatures: [
        first,
        second,
        { protected: toBase64url(canonicalBytes(headerOf(carl))), signature: first.signature },
      ],
    },
  },
  {
    name: 'two persons, one signature not in base64url',
    jws: { ...signed, signatures: [first, { ...second, signature: `${second.signature}=` }] },
  },
  {
    name: 'two persons, for a payload that violates its schema',
    code: 'record.malformed',
    jws: await signGeneral(
      defineSigned('cw-sample', { ...Sample, encode: () => utf8('{"n":"x"}') }),
      { n: 1 },
      [ed, ec],
    ),
  },
]
for (const { name, jws, code = 'policy.invalid' } of refusedQuorums)
  test(`refuses a quorum of ${name}`, () => {
    assert.throws(() => quorum(jws), { code })
  })

test('a general JWS round-trips', () => {
  assert.deepEqual(parseGeneral(utf8(JSON.stringify(signed)), 'policy.invalid'), signed)
  assert.equal(fromBase64url(signed.payload).toString(), '{"n":1}')
})

for (const [name, document] of [
  ['text that is not JSON', 'x'],
  ['no signature', JSON.stringify({ ...signed, signatures: [] })],
  ['seventeen signatures', JSON.stringify({ ...signed, signatures: Array(17).fill(first) })],
  ['an unprotected header', JSON.stringify({ ...signed, signatures: [{ ...first, header: {} }] })],
  ['another member', JSON.stringify({ ...signed, extra: 1 })],
] as const)
  test(`refuses a signed document with ${name}`, () => {
    assert.throws(() => parseGeneral(utf8(document), 'policy.invalid'), { code: 'policy.invalid' })
  })
