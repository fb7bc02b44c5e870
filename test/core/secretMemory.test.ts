import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { CodedError } from '#core/errors.ts'
import { exportJwk, P256Jwk } from '#core/jwk.ts'
import { outputDigestOf, pseudonymKey, useKeysOf } from '#core/release/idKey.ts'
import { unwrapKeys, wrapKeys } from '#core/release/wrap.ts'
import { moveInto, plainMemory, type SecretMemory } from '#core/secretMemory.ts'

/** Counts the buffers held, and refuses more than `limit`. */
function counted(limit = Number.POSITIVE_INFINITY) {
  const held = new Set<Buffer>()
  const memory: SecretMemory = {
    allocate: (bytes) => {
      if (held.size === limit) throw new CodedError('memory.unlocked', 'no more')
      const secret = plainMemory.allocate(bytes)
      held.add(secret)
      return secret
    },
    free: (secret) => {
      plainMemory.free(secret)
      assert.ok(held.delete(secret))
    },
  }
  return { memory, held }
}

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const context = { nonce: randomBytes(60), headerDigest: randomBytes(32) }
const keys = { dek: randomBytes(32), idKey: randomBytes(32) }
const jwe = wrapKeys(keys, P256Jwk.parse(exportJwk(publicKey)), context)

test('a moved key has no other copy, even if there was no room for it', () => {
  const plain = Buffer.from('a secret')
  const { memory, held } = counted()
  const secret = moveInto(memory, plain)
  assert.deepEqual([...held], [secret])
  assert.equal(secret.toString(), 'a secret')
  assert.deepEqual(plain, Buffer.alloc(8))
  memory.free(secret)
  assert.deepEqual(secret, Buffer.alloc(8))
  const more = Buffer.from('another')
  assert.throws(() => moveInto(counted(0).memory, more), { code: 'memory.unlocked' })
  assert.deepEqual(more, Buffer.alloc(7))
})

test('unwrapped keys are in the given memory', () => {
  const { memory, held } = counted()
  const opened = unwrapKeys(jwe, privateKey, context, memory)
  assert.deepEqual(opened, keys)
  assert.deepEqual([...held], [opened.dek, opened.idKey])
  const pseudonyms = pseudonymKey(opened.idKey, { client: 'acme', purpose: 'HRESCH' }, memory)
  assert.ok(held.has(pseudonyms))
})

test('if there is room for only one of two keys, none is held', () => {
  const { memory, held } = counted(1)
  assert.throws(() => unwrapKeys(jwe, privateKey, context, memory), { code: 'memory.unlocked' })
  assert.equal(held.size, 0)
})

test('the keys of a computation differ by use, and none stays if there is no room for both', () => {
  const { memory, held } = counted()
  const asker = { client: 'acme', purpose: 'HRESCH' }
  const { pseudonym, output } = useKeysOf(keys.idKey, asker, memory)
  assert.deepEqual(pseudonym, pseudonymKey(keys.idKey, asker, plainMemory))
  assert.deepEqual(useKeysOf(keys.idKey, { client: 'other', purpose: 'HRESCH' }, memory).output, output)
  assert.notDeepEqual(output, pseudonym)
  assert.equal(held.size, 4)
  const narrow = counted(1)
  assert.throws(() => useKeysOf(keys.idKey, asker, narrow.memory), { code: 'memory.unlocked' })
  assert.equal(narrow.held.size, 0)
})

test('equal output under one identity key has one digest: HMAC under HKDF of the use "output"', () => {
  const fixed = useKeysOf(Buffer.alloc(32, 7), { client: 'acme', purpose: 'HRESCH' }, plainMemory)
  const digest = outputDigestOf(Buffer.from('{"table":[]}'), fixed.output)
  assert.equal(digest, '5pZFc6Qxd4Yf6xlIKjRRCF7X2QQprHe9PoM5zrxiHtw')
  assert.notEqual(outputDigestOf(Buffer.from('{"table":[1]}'), fixed.output), digest)
})
