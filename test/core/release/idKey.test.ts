/** The keys that the TEE derives from the idKey of a dataset. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { utf8 } from '#core/bytes.ts'
import { ID_KEY_BYTES, idKeyAssociatedData, pseudonymKey } from '#core/release/idKey.ts'
import { plainMemory } from '#core/secretMemory.ts'

const idKey = Buffer.alloc(32, 9)
const keyOf = (client: string, purpose: string) => pseudonymKey(idKey, { client, purpose }, plainMemory)
const hmac = (key: Uint8Array, data: Uint8Array) => createHmac('sha256', key).update(data).digest()

test('a key of pseudonyms is HKDF-SHA-256 over client and purpose, by the steps of RFC 5869', () => {
  const pseudorandom = hmac(Buffer.alloc(32), idKey)
  const info = utf8('["pseudonym","acme","HRESCH"]')
  const expected = hmac(pseudorandom, Buffer.concat([info, Buffer.of(1)]))
  assert.deepEqual(keyOf('acme', 'HRESCH'), expected)
  assert.equal(ID_KEY_BYTES, 32)
})

test('another client or purpose has another key, however their letters are divided', () => {
  const keys = [
    keyOf('acme', 'HRESCH'),
    keyOf('acm', 'EHRESCH'),
    keyOf('acme', 'TREAT'),
    keyOf('other', 'HRESCH'),
  ].map((key) => key.toString('hex'))
  assert.equal(new Set(keys).size, keys.length)
})

test('the Vault authenticates tenant, dataset and use beside a wrapped idKey', () => {
  assert.deepEqual(idKeyAssociatedData('hospital', 'cohort'), {
    v: '1',
    tenant: 'hospital',
    dataset: 'cohort',
    use: 'id-key',
  })
})
