import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { mintNonce } from '#core/release/nonce.ts'
import { createNonceKeys } from '../../src/verifier/nonceKeys.ts'
import { createNonceMarkers } from '../../src/verifier/nonceMarkers.ts'
import { unavailable } from '../adapters/evidence/stores.ts'
import { AUDIENCE, NOW } from '../core/release/releaseWorld.ts'
import { steerableClock } from './steerableClock.ts'
import { bucket, emptyStore, repeatingCreates } from './testBucket.ts'

const secret = 'ocid1.vaultsecret.oc1..nonce'
const nonce = () => mintNonce({ epoch: 1, key: randomBytes(32) }, AUDIENCE, NOW, randomBytes(16))

test('a new epoch is checked at once and used after a minute; the old one ends with its last nonce', async () => {
  const clock = steerableClock()
  let version = 1
  const keys = await createNonceKeys(
    { read: async () => ({ content: Buffer.alloc(32, version), version }) },
    secret,
    clock,
  )
  const epochs = () => [keys.minting().epoch, keys.checking().map(({ epoch }) => epoch)]
  assert.deepEqual(epochs(), [1, [1]])
  await keys.refresh()
  assert.deepEqual(epochs(), [1, [1]])
  version = 2
  await keys.refresh()
  assert.deepEqual(epochs(), [1, [2, 1]])
  clock.pass(59.9)
  assert.deepEqual(epochs(), [1, [2, 1]])
  clock.pass(0.1)
  assert.deepEqual(epochs(), [2, [2, 1]])
  clock.pass(359.9)
  assert.deepEqual(epochs(), [2, [2, 1]])
  clock.pass(0.1)
  assert.deepEqual(epochs(), [2, [2]])
  version = 1
  await keys.refresh()
  assert.deepEqual(epochs(), [2, [2]])
})

test('a secret of the wrong length is refused', async () => {
  const read = async () => ({ content: Buffer.alloc(31), version: 1 })
  await assert.rejects(createNonceKeys({ read }, secret, steerableClock()), { code: 'config.invalid' })
})

test('a nonce is spent once, also across replicas', async () => {
  const store = await emptyStore()
  const one = createNonceMarkers(store, bucket, 'replica-1')
  const two = createNonceMarkers(store, bucket, 'replica-2')
  const first = nonce()
  await one(first)
  await assert.rejects(one(first), { code: 'nonce.spent' })
  await assert.rejects(two(first), { code: 'nonce.spent' })
  const raced = nonce()
  const outcomes = await Promise.allSettled([one(raced), two(raced), one(raced)])
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
})

test('the name of a marker is the hour of minting and the digest', async () => {
  const store = await emptyStore()
  await createNonceMarkers(store, bucket, 'replica-1')(nonce())
  const names = await Array.fromAsync(store.list(bucket, 'nonce/'), ({ name }) => name)
  assert.equal(names.length, 1)
  assert.match(names[0] ?? '', new RegExp(`^nonce/${Math.floor(NOW / 3600)}/[0-9a-f]{64}$`))
})

test('a create that is repeated because its answer was lost is one use', async () => {
  await createNonceMarkers(repeatingCreates(await emptyStore()), bucket, 'replica-1')(nonce())
})

test('a bucket that does not answer refuses the request and spends no nonce', async () => {
  const store = {
    ...(await emptyStore()),
    create: async () => {
      throw unavailable()
    },
  }
  await assert.rejects(createNonceMarkers(store, bucket, 'replica-1')(nonce()), {
    code: 'service.unavailable',
  })
})
