/** The contract of the KeyVault port. */
import assert from 'node:assert/strict'
import { constants, createHash, publicEncrypt, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { z } from 'zod'
import { defineFormat } from '#core/canonical.ts'
import { importJwk } from '#core/jwk.ts'
import { defineSigned, signCompact, verifyCompact } from '#core/jws.ts'
import { coded, type Setup, type Subject } from './subject.ts'

const CONTEXT = { v: '1', tenant: 'hospital', object: 'a/b' }
const NOTE = defineSigned(
  'cw-test',
  defineFormat({
    name: 'note',
    maxBytes: 10_000,
    code: 'record.malformed',
    schema: z.strictObject({ text: z.string() }),
  }),
)

export function testKeyVault(subject: Subject): void {
  const rule = (name: string, run: (setup: Setup) => Promise<void>): void => {
    test(`${subject.name}: ${name}`, async () => {
      await run(await subject.open())
    })
  }

  rule('another principal opens a data key with its associated data', async (setup) => {
    const { aesKey } = setup.resources
    const made = await setup.first.keyVault().generateDataKey(aesKey, CONTEXT)
    assert.equal(made.plaintext.byteLength, 32)
    assert.match(made.keyVersionId, /^ocid1\.keyversion\./)
    assert.ok(!made.wrapped.includes(made.plaintext))
    const { object, tenant, v } = CONTEXT
    const opened = await setup.second.keyVault().decrypt(aesKey, made.wrapped, { object, tenant, v })
    assert.deepEqual(opened, made.plaintext)
    const again = await setup.first.keyVault().generateDataKey(aesKey, CONTEXT)
    assert.notDeepEqual(again.plaintext, made.plaintext)
  })

  rule('a ciphertext opens only under its key and its associated data', async (setup) => {
    const { aesKey, rsaKey } = setup.resources
    const vault = setup.first.keyVault()
    const plaintext = randomBytes(32)
    const { wrapped, keyVersionId } = await vault.encrypt(aesKey, plaintext, CONTEXT)
    assert.match(keyVersionId, /^ocid1\.keyversion\./)
    assert.deepEqual(await vault.decrypt(aesKey, wrapped, CONTEXT), plaintext)
    const changed = Buffer.from(wrapped)
    changed[changed.byteLength - 1] = (changed.at(-1) ?? 0) ^ 1
    for (const [key, bytes, data] of [
      [aesKey, wrapped, {}],
      [aesKey, wrapped, { ...CONTEXT, object: 'a/c' }],
      [aesKey, wrapped, { ...CONTEXT, more: '' }],
      [aesKey, changed, CONTEXT],
      [aesKey, wrapped.subarray(1), CONTEXT],
      [aesKey, Buffer.alloc(64), CONTEXT],
      [rsaKey, wrapped, CONTEXT],
    ] as const)
      await assert.rejects(vault.decrypt(key, bytes, data), coded('key.unopened'))
  })

  rule('a decryption is not sent after an abort', async (setup) => {
    const { aesKey } = setup.resources
    const vault = setup.first.keyVault()
    const { wrapped } = await vault.encrypt(aesKey, randomBytes(32), CONTEXT)
    const reason = new Error('too late')
    await assert.rejects(vault.decrypt(aesKey, wrapped, CONTEXT, AbortSignal.abort(reason)), reason)
  })

  rule('the RSA key opens what was wrapped to its public half', async (setup) => {
    const { rsaKey } = setup.resources
    const vault = setup.first.keyVault()
    const { key, keyVersionId } = await vault.publicKey(rsaKey)
    assert.equal(key.asymmetricKeyType, 'rsa')
    const secret = randomBytes(32)
    const padding = constants.RSA_PKCS1_OAEP_PADDING
    const wrapped = publicEncrypt({ key, padding, oaepHash: 'sha256' }, secret)
    assert.deepEqual(await setup.second.keyVault().decryptRsa(rsaKey, keyVersionId, wrapped), secret)
    const withSha1 = publicEncrypt({ key, padding, oaepHash: 'sha1' }, secret)
    await assert.rejects(vault.decryptRsa(rsaKey, keyVersionId, withSha1), coded('key.unopened'))
    await assert.rejects(vault.decryptRsa(rsaKey, keyVersionId, Buffer.alloc(256)), coded('key.unopened'))
  })

  rule('a signature of the Vault is an ES384 JWS', async (setup) => {
    const signer = await setup.first.keyVault().signer(setup.resources.signingKey)
    // Longer than the 4096 bytes that the Vault takes, so it must sign the digest.
    const note = { text: 'x'.repeat(6000) }
    const jws = await signCompact(NOTE, note, signer)
    const verified = verifyCompact(NOTE, jws, [signer.jwk], 'record.malformed')
    assert.deepEqual(verified.payload, note)
    assert.equal(importJwk(signer.jwk).asymmetricKeyDetails?.namedCurve, 'secp384r1')
    // In one of 128 signatures r or s is shorter than 48 bytes.
    for (let round = 0; round < 20; round += 1)
      assert.equal((await signer.sign(createHash('sha1').update(`${round}`).digest())).byteLength, 96)
  })

  rule('an absent key, or one of another kind, is refused', async (setup) => {
    const vault = setup.first.keyVault()
    const { aesKey, rsaKey } = setup.resources
    const none = aesKey.replace(/[^.]*$/, 'none')
    await assert.rejects(vault.generateDataKey(none, {}), coded('service.missing'))
    await assert.rejects(vault.decrypt(none, Buffer.alloc(64), {}), coded('service.missing'))
    await assert.rejects(vault.publicKey(none), coded('service.missing'))
    await assert.rejects(vault.publicKey(aesKey), coded('service.failed'))
    await assert.rejects(vault.signer(rsaKey), coded('config.invalid'))
  })
}
