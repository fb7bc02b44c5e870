import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { CodedError } from '#core/errors.ts'
import { checkNonce, mintNonce } from '#core/release/nonce.ts'
import type { SecretStore } from '#ports/keyVault.ts'
import { createNonceKeys, type NonceKeys } from '../../src/verifier/nonceKeys.ts'
import { createNonceMarkers } from '../../src/verifier/nonceMarkers.ts'
import { unavailable } from '../adapters/evidence/stores.ts'
import { AUDIENCE, NOW } from '../core/release/releaseWorld.ts'
import { type SteerableClock, steerableClock } from './steerableClock.ts'
import { bucket, emptyStore, repeatingCreates } from './testBucket.ts'

const secret = 'ocid1.vaultsecret.oc1..nonce'
const { signal } = new AbortController()
const nonce = () => mintNonce({ epoch: 1, key: randomBytes(32) }, AUDIENCE, NOW, randomBytes(16))

/** A secret that is rotated by `rotate`, and a replica's view of it. */
function rotatingSecret(clock: SteerableClock) {
  const versions = [{ content: Buffer.alloc(32, 1), version: 1, createdAt: clock.now() }]
  const secrets: SecretStore = {
    read: async (_secretId, stage = 'current') => {
      const found = versions.at(stage === 'current' ? -1 : -2)
      if (found === undefined) throw new CodedError('service.missing', 'no such version')
      return found
    },
  }
  return {
    start: () => createNonceKeys(secrets, secret, clock),
    rotate: () => {
      const version = versions.length + 1
      versions.push({ content: Buffer.alloc(32, version), version, createdAt: clock.now() })
    },
    restore: () => versions.pop(),
  }
}

const epochsOf = (keys: NonceKeys) => [keys.minting().epoch, keys.checking().map(({ epoch }) => epoch)]

test('a new epoch is checked at once and used after a minute; the old one ends with its last nonce', async () => {
  const clock = steerableClock()
  const { start, rotate, restore } = rotatingSecret(clock)
  const keys = await start()
  assert.deepEqual(epochsOf(keys), [1, [1]])
  await keys.refresh()
  assert.deepEqual(epochsOf(keys), [1, [1]])
  rotate()
  await keys.refresh()
  assert.deepEqual(epochsOf(keys), [1, [2, 1]])
  clock.pass(59.9)
  assert.deepEqual(epochsOf(keys), [1, [2, 1]])
  clock.pass(0.1)
  assert.deepEqual(epochsOf(keys), [2, [2, 1]])
  clock.pass(359.9)
  assert.deepEqual(epochsOf(keys), [2, [2, 1]])
  clock.pass(0.1)
  assert.deepEqual(epochsOf(keys), [2, [2]])
  restore()
  await keys.refresh()
  assert.deepEqual(epochsOf(keys), [2, [2]])
})

test('a replica that starts at a rotation checks both epochs, and mints as the others do', async () => {
  const clock = steerableClock()
  const { start, rotate } = rotatingSecret(clock)
  const old = await start()
  clock.pass(3600)
  rotate()
  const atOnce = await start()
  assert.deepEqual(epochsOf(atOnce), [1, [2, 1]])
  clock.pass(30)
  const later = await start()
  assert.deepEqual(epochsOf(later), [1, [2, 1]])
  const bytes = mintNonce(old.minting(), AUDIENCE, clock.now(), randomBytes(16))
  for (const replica of [atOnce, later])
    assert.ok(checkNonce(bytes, replica.checking(), AUDIENCE, clock.now()))
  const back = mintNonce(later.minting(), AUDIENCE, clock.now(), randomBytes(16))
  assert.ok(checkNonce(back, old.checking(), AUDIENCE, clock.now()))
  clock.pass(30)
  assert.deepEqual(epochsOf(later), [2, [2, 1]])
  assert.deepEqual(epochsOf(await start()), [2, [2, 1]])
  clock.pass(360)
  assert.deepEqual(epochsOf(later), [2, [2]])
  assert.deepEqual(epochsOf(await start()), [2, [2]])
})

test('a replica does not start without the previous epoch if the Vault does not answer', async () => {
  const clock = steerableClock()
  const read: SecretStore['read'] = async (_secretId, stage = 'current') => {
    if (stage === 'previous') throw unavailable()
    return { content: Buffer.alloc(32), version: 2, createdAt: clock.now() }
  }
  await assert.rejects(createNonceKeys({ read }, secret, clock), { code: 'service.unavailable' })
})

test('a secret of the wrong length is refused', async () => {
  const read = async () => ({ content: Buffer.alloc(31), version: 1, createdAt: NOW })
  await assert.rejects(createNonceKeys({ read }, secret, steerableClock()), { code: 'config.invalid' })
})

test('a nonce is spent once, also across replicas', async () => {
  const store = await emptyStore()
  const one = createNonceMarkers(store, bucket, 'replica-1')
  const two = createNonceMarkers(store, bucket, 'replica-2')
  const first = nonce()
  await one(first, signal)
  await assert.rejects(one(first, signal), { code: 'nonce.spent' })
  await assert.rejects(two(first, signal), { code: 'nonce.spent' })
  const raced = nonce()
  const outcomes = await Promise.allSettled([one(raced, signal), two(raced, signal), one(raced, signal)])
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
})

test('the name of a marker is the hour of minting and the digest', async () => {
  const store = await emptyStore()
  await createNonceMarkers(store, bucket, 'replica-1')(nonce(), signal)
  const names = await Array.fromAsync(store.list(bucket, 'nonce/'), ({ name }) => name)
  assert.equal(names.length, 1)
  assert.match(names[0] ?? '', new RegExp(`^nonce/${Math.floor(NOW / 3600)}/[0-9a-f]{64}$`))
})

test('a create that is repeated because its answer was lost is one use', async () => {
  await createNonceMarkers(repeatingCreates(await emptyStore()), bucket, 'replica-1')(nonce(), signal)
})

test('a bucket that does not answer refuses the request and spends no nonce', async () => {
  const store = {
    ...(await emptyStore()),
    create: async () => {
      throw unavailable()
    },
  }
  await assert.rejects(createNonceMarkers(store, bucket, 'replica-1')(nonce(), signal), {
    code: 'service.unavailable',
  })
})
