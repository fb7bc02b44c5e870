import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { createSessionPrincipal } from '#adapters/oci/instancePrincipal.ts'
import type { Identity } from '#adapters/oci/signature.ts'
import { CodedError } from '#core/errors.ts'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const LIFE_MS = 1_200_000

/** A source whose answers the test gives, and a clock that the test moves. */
function harness() {
  const waiting: PromiseWithResolvers<{ identity: Identity; lifeMs: number }>[] = []
  const at = { now: 0 }
  let issued = 0
  const principal = createSessionPrincipal(
    {
      acquire: () => {
        const next = Promise.withResolvers<{ identity: Identity; lifeMs: number }>()
        waiting.push(next)
        return next.promise
      },
      close: () => {},
    },
    () => at.now,
  )
  return {
    principal,
    at,
    asked: () => issued + waiting.length,
    issue: () => {
      issued += 1
      waiting.shift()?.resolve({ identity: { keyId: `ST$${issued}`, privateKey }, lifeMs: LIFE_MS })
      return settle()
    },
    fail: () => {
      issued += 1
      waiting.shift()?.reject(new CodedError('service.unavailable', 'no token'))
      return settle()
    },
    keyId: async () => (await principal.identity()).keyId,
  }
}

/** Lets every promise settle that can. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

test('concurrent requests share one refresh', async () => {
  const { keyId, asked, issue } = harness()
  const together = Promise.all([keyId(), keyId(), keyId()])
  await settle()
  assert.equal(asked(), 1)
  await issue()
  assert.deepEqual(await together, ['ST$1', 'ST$1', 'ST$1'])
})

test('the token is renewed between 50 and 80 % of its life, in the background', async () => {
  const { keyId, asked, issue, at } = harness()
  const first = keyId()
  await issue()
  await first
  at.now = LIFE_MS * 0.49
  assert.equal(await keyId(), 'ST$1')
  assert.equal(asked(), 1)
  at.now = LIFE_MS * 0.81
  assert.deepEqual([await keyId(), await keyId()], ['ST$1', 'ST$1'])
  assert.equal(asked(), 2)
  await issue()
  assert.equal(await keyId(), 'ST$2')
})

test('a failed refresh is repeated after a pause; the old token serves until it expires', async () => {
  const { keyId, asked, fail, issue, at } = harness()
  const first = keyId()
  await issue()
  await first
  at.now = LIFE_MS * 0.81
  assert.equal(await keyId(), 'ST$1')
  await fail()
  assert.equal(await keyId(), 'ST$1')
  assert.equal(asked(), 2)
  at.now += 5000
  assert.equal(await keyId(), 'ST$1')
  assert.equal(asked(), 3)
  await fail()
  at.now = LIFE_MS
  const expired = assert.rejects(keyId(), { code: 'service.unavailable' })
  await fail()
  await expired
  const later = keyId()
  await issue()
  assert.equal(await later, 'ST$5')
})

test('a rejected token is renewed once for any number of rejected requests', async () => {
  const { principal, keyId, asked, issue } = harness()
  const first = keyId()
  await issue()
  await first
  const rejected = { keyId: 'ST$1', privateKey }
  const renewals = Promise.all([principal.renew(rejected), principal.renew(rejected)])
  assert.equal(asked(), 2)
  await issue()
  await renewals
  // A late rejection of the old token.
  await principal.renew(rejected)
  assert.equal(asked(), 2)
  assert.equal(await keyId(), 'ST$2')
})
