import assert from 'node:assert/strict'
import { createCipheriv, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { CompactEncrypt, compactDecrypt } from 'jose'
import { fromBase64url, sha256, toBase64url } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { exportJwk, P256Jwk, thumbprint } from '#core/jwk.ts'
import { openSealed, sealTo } from '#core/release/jwe.ts'
import { unwrapKeys, wrapKeys } from '#core/release/wrap.ts'
import { plainMemory } from '#core/secretMemory.ts'
import { wrapSeeded } from '../../vectors/release/keys.ts'

const tee = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const wrapKey = P256Jwk.parse(exportJwk(tee.publicKey))
const context = { nonce: randomBytes(61), headerDigest: randomBytes(32) }
const keys = { dek: randomBytes(32), idKey: randomBytes(32) }
const payload = Buffer.concat([keys.dek, keys.idKey])
const unopened = { name: 'CodedError', code: 'key.unopened' }

test('wrapped keys open, and the protected header is as the format says', () => {
  const jwe = wrapKeys(keys, wrapKey, context)
  assert.deepEqual(unwrapKeys(jwe, tee.privateKey, context, plainMemory), keys)
  const header = JSON.parse(fromBase64url(jwe.split('.')[0] ?? '').toString())
  assert.deepEqual(Object.keys(header), ['alg', 'apu', 'apv', 'enc', 'epk', 'kid'])
  assert.deepEqual(
    { ...header, epk: undefined },
    {
      alg: 'ECDH-ES+A256KW',
      apu: toBase64url(sha256(context.nonce)),
      apv: toBase64url(context.headerDigest),
      enc: 'A256GCM',
      epk: undefined,
      kid: thumbprint(wrapKey),
    },
  )
})

test('jose opens what we wrap', async () => {
  const { plaintext } = await compactDecrypt(wrapKeys(keys, wrapKey, context), tee.privateKey)
  assert.deepEqual(Buffer.from(plaintext), payload)
})

async function byJose(bytes: Uint8Array, header = {}, party = {}): Promise<string> {
  return new CompactEncrypt(bytes)
    .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM', kid: thumbprint(wrapKey), ...header })
    .setKeyManagementParameters({ apu: sha256(context.nonce), apv: context.headerDigest, ...party })
    .encrypt(createPublicKey({ key: { ...wrapKey }, format: 'jwk' }))
}

test('we open what jose wraps', async () => {
  assert.deepEqual(unwrapKeys(await byJose(payload), tee.privateKey, context, plainMemory), keys)
})

for (const { name, header, party, bytes } of [
  { name: 'another content encryption', header: { enc: 'A128GCM' } },
  { name: 'another key wrapping', header: { alg: 'ECDH-ES+A128KW' } },
  { name: 'direct key agreement', header: { alg: 'ECDH-ES' } },
  { name: 'a kid of another key', header: { kid: toBase64url(Buffer.alloc(32)) } },
  { name: 'an additional header member', header: { typ: 'JWE' } },
  { name: 'compression', header: { zip: 'DEF' } },
  { name: 'another nonce', party: { apu: randomBytes(32) } },
  { name: 'another header digest', party: { apv: randomBytes(32) } },
  { name: 'a payload that is too short', bytes: payload.subarray(1) },
  { name: 'a payload that is too long', bytes: Buffer.concat([payload, Buffer.alloc(1)]) },
])
  test(`refused: ${name}`, async () => {
    const jwe = await byJose(bytes ?? payload, header, party)
    assert.throws(() => unwrapKeys(jwe, tee.privateKey, context, plainMemory), unopened)
  })

test('refused: no party information', () => {
  const jwe = sealTo(wrapKey, payload)
  assert.throws(() => unwrapKeys(jwe, tee.privateKey, context, plainMemory), unopened)
})

test('refused: another private key', () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  assert.throws(
    () => unwrapKeys(wrapKeys(keys, wrapKey, context), other.privateKey, context, plainMemory),
    unopened,
  )
})

test('refused: a part cut, changed, added or left out', () => {
  const jwe = wrapKeys(keys, wrapKey, context)
  const parts = jwe.split('.')
  const cases = [
    parts.slice(0, 4),
    [...parts, ''],
    ...parts.flatMap((part, index) => {
      const bytes = fromBase64url(part)
      const flipped = Buffer.from(bytes)
      flipped[bytes.byteLength - 1] = (bytes.at(-1) ?? 0) ^ 1
      return [flipped, bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.alloc(1)])].map((changed) =>
        parts.with(index, toBase64url(changed)),
      )
    }),
  ]
  for (const changed of cases)
    assert.throws(() => unwrapKeys(changed.join('.'), tee.privateKey, context, plainMemory), unopened)
})

test('refused: a header that does not state what the key is derived from', () => {
  const info = { apu: sha256(context.nonce), apv: context.headerDigest }
  const saying = (said: object) => wrapSeeded('wrap', payload, wrapKey, info, said)
  assert.deepEqual(unwrapKeys(saying({}), tee.privateKey, context, plainMemory), keys)
  const other = toBase64url(Buffer.alloc(32))
  for (const said of [{ apu: other }, { apv: other }, { apu: undefined }, { apv: undefined }, { kid: other }])
    assert.throws(() => unwrapKeys(saying(said), tee.privateKey, context, plainMemory), unopened)
})

test('refused: an IV of 16 bytes, which GCM would take', async () => {
  const content = randomBytes(32)
  const [header = '', encryptedKey = ''] = (
    await new CompactEncrypt(payload)
      .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM', kid: thumbprint(wrapKey) })
      .setKeyManagementParameters({ apu: sha256(context.nonce), apv: context.headerDigest })
      .setContentEncryptionKey(content)
      .encrypt(createPublicKey({ key: { ...wrapKey }, format: 'jwk' }))
  ).split('.')
  const withIv = (bytes: number) => {
    const iv = randomBytes(bytes)
    const cipher = createCipheriv('aes-256-gcm', content, iv).setAAD(Buffer.from(header))
    const ciphertext = Buffer.concat([cipher.update(payload), cipher.final()])
    return [header, encryptedKey, ...[iv, ciphertext, cipher.getAuthTag()].map(toBase64url)].join('.')
  }
  assert.deepEqual(unwrapKeys(withIv(12), tee.privateKey, context, plainMemory), keys)
  assert.throws(() => unwrapKeys(withIv(16), tee.privateKey, context, plainMemory), unopened)
})

test('refused: an ephemeral key that is not on the curve', () => {
  const [header = '', ...rest] = wrapKeys(keys, wrapKey, context).split('.')
  const parsed = JSON.parse(fromBase64url(header).toString())
  const moved = canonicalBytes({ ...parsed, epk: { ...parsed.epk, y: parsed.epk.x } })
  assert.throws(
    () => unwrapKeys([toBase64url(moved), ...rest].join('.'), tee.privateKey, context, plainMemory),
    unopened,
  )
})

test('two wraps of the same keys share only their header members', () => {
  const [a, b] = [wrapKeys(keys, wrapKey, context), wrapKeys(keys, wrapKey, context)]
  for (const [index, part] of a.split('.').entries()) assert.notEqual(part, b.split('.')[index])
})

test('counts for the auditor: sealed without party information, opened only by the audit key', () => {
  const jwe = sealTo(wrapKey, Buffer.from('{"read":12}'))
  assert.equal(openSealed(jwe, tee.privateKey).toString(), '{"read":12}')
  assert.throws(
    () => openSealed(jwe, tee.privateKey, { apu: Buffer.alloc(1), apv: Buffer.alloc(2) }),
    unopened,
  )
})

test('keys of the wrong length are internal.fault', () => {
  for (const wrong of [
    { ...keys, dek: keys.dek.subarray(1) },
    { ...keys, idKey: keys.idKey.subarray(1) },
    { dek: payload.subarray(0, 31), idKey: payload.subarray(31) },
  ])
    assert.throws(() => wrapKeys(wrong, wrapKey, context), { code: 'internal.fault' })
})

test('if there is no room for both keys, the first is freed', () => {
  const freed: Buffer[] = []
  const full = new Error('no locked memory left')
  let allocated = 0
  const memory = {
    allocate: (bytes: number) => {
      allocated += 1
      if (allocated > 1) throw full
      return plainMemory.allocate(bytes)
    },
    free: (secret: Buffer) => freed.push(secret),
  }
  const jwe = wrapKeys(keys, wrapKey, context)
  assert.throws(() => unwrapKeys(jwe, tee.privateKey, context, memory), full)
  assert.deepEqual(freed, [keys.dek])
})
