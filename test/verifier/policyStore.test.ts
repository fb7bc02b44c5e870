import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '#core/bytes.ts'
import { P384Jwk } from '#core/jwk.ts'
import { keySigner, type Signer, signGeneral } from '#core/jws.ts'
import { type Policy, PolicyFormat, policyName } from '#core/policy/policy.ts'
import { type Revocation, RevocationFormat, revocationName } from '#core/policy/revocation.ts'
import { VerifierKeysFormat, verifierKeysName } from '#core/policy/verifierKeys.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { createPolicyStore } from '../../src/verifier/policyStore.ts'
import { unavailable } from '../adapters/evidence/stores.ts'
import { AUDIENCE, DAY, NOW, p384, policyOf, root, signers } from '../core/release/releaseWorld.ts'
import { steerableClock } from './steerableClock.ts'
import { bucket, emptyStore } from './testBucket.ts'

const grantCa = keySigner(p384())
const keyId = 'ocid1.key.oc1..grant-ca'
const none = { code: 'policy.none' }
const nothing: Revocation = {
  v: 1,
  seq: 1,
  issuedAt: NOW,
  referenceValues: [],
  objects: [],
  boots: [],
  permissions: [],
}
const two = signers.slice(0, 2)

async function governance(options: { readonly keys?: boolean } = {}) {
  const folder = await emptyStore()
  const clock = steerableClock()
  let down = false
  let deaf = false
  const store: ObjectStore = {
    ...folder,
    list: (...parameters) => {
      if (down) throw unavailable()
      return folder.list(...parameters)
    },
  }
  const loaded: string[] = []
  const rejected: string[] = []
  const policies = createPolicyStore({
    store,
    bucket,
    root,
    verifier: { audience: AUDIENCE, tenant: 'hospital', simulation: true, vaultOnLoopback: true },
    grantCa: { keyId, jwk: grantCa.jwk },
    clock,
    events: {
      loaded: ({ policy }, revocation) => {
        if (deaf) throw unavailable()
        loaded.push(`${policy.seq}/${revocation.seq}`)
      },
      rejected: (name) => rejected.push(name),
    },
  })
  const put = async (name: string, signed: unknown) => {
    await folder.create({ ...bucket, name }, utf8(JSON.stringify(signed)))
  }
  const putKeys = async (seq: number, exp: number, by = grantCa) =>
    put(
      verifierKeysName(seq),
      await signGeneral(
        VerifierKeysFormat,
        { v: 1 as const, seq, exp, grantCa: { jwk: P384Jwk.parse(by.jwk), keyId } },
        two,
      ),
    )
  if (options.keys ?? true) await putKeys(1, NOW + 60 * DAY)
  return {
    policies,
    clock,
    loaded,
    rejected,
    putKeys,
    deafen: (value: boolean) => {
      deaf = value
    },
    fail: (value: boolean) => {
      down = value
    },
    putRaw: put,
    putPolicy: async (changes: Partial<Policy>, by: readonly Signer[] = two) => {
      const policy = policyOf(changes)
      await put(policyName(policy.seq), await signGeneral(PolicyFormat, policy, by))
    },
    putRevocation: async (changes: Partial<Revocation>, by: readonly Signer[] = signers.slice(0, 1)) => {
      const revocation = { ...nothing, ...changes }
      await put(revocationName(revocation.seq), await signGeneral(RevocationFormat, revocation, by))
    },
    seq: () => policies.inForce().loaded.policy.seq,
  }
}

test('nothing is in force before the first listing, or with an empty bucket', async () => {
  const { policies } = await governance()
  assert.throws(() => policies.inForce(), none)
  assert.equal(policies.ageSeconds(), Number.POSITIVE_INFINITY)
  await policies.refresh()
  assert.throws(() => policies.inForce(), none)
  assert.equal(policies.ageSeconds(), 0)
})

test('the highest valid number wins; an invalid object is reported once and changes nothing', async () => {
  const { policies, putPolicy, putRaw, seq, loaded, rejected } = await governance()
  await putPolicy({ seq: 3 })
  await policies.refresh()
  await putPolicy({ seq: 2 })
  await putPolicy({ seq: 4 }, signers.slice(0, 1))
  await putRaw(policyName(5), { payload: '', signatures: [] })
  await putRaw(policyName(6), 'x'.repeat(2 * 1024 * 1024))
  await policies.refresh()
  await policies.refresh()
  assert.equal(seq(), 3)
  assert.deepEqual(rejected, [4, 5, 6].map(policyName))
  await putPolicy({ seq: 7 })
  await policies.refresh()
  assert.equal(seq(), 7)
  assert.deepEqual(loaded, ['3/0', '7/0'])
})

test('after 30 seconds without a listing nothing is released', async () => {
  const { policies, putPolicy, clock, fail, seq } = await governance()
  await putPolicy({})
  await policies.refresh()
  fail(true)
  clock.pass(30)
  await assert.rejects(policies.refresh(), { code: 'service.unavailable' })
  assert.equal(seq(), 7)
  clock.pass(0.001)
  assert.throws(() => policies.inForce(), { code: 'policy.stale' })
  fail(false)
  await policies.refresh()
  assert.equal(seq(), 7)
})

test('an event that fails is repeated after the next listing', async () => {
  const { policies, putPolicy, loaded, deafen } = await governance()
  await putPolicy({})
  deafen(true)
  await assert.rejects(policies.refresh(), { code: 'service.unavailable' })
  assert.equal(policies.inForce().loaded.policy.seq, 7)
  deafen(false)
  await policies.refresh()
  await policies.refresh()
  assert.deepEqual(loaded, ['7/0'])
})

test('a policy counts from its issue to its end; no older one comes back', async () => {
  const { policies, putPolicy, clock, seq } = await governance()
  await putPolicy({ seq: 1, expiresAt: NOW + 30 * DAY })
  await putPolicy({ seq: 2, issuedAt: NOW + 100, expiresAt: NOW + 200 })
  await policies.refresh()
  assert.equal(seq(), 1)
  clock.pass(100)
  await policies.refresh()
  assert.equal(seq(), 2)
  clock.pass(100)
  await policies.refresh()
  assert.throws(() => policies.inForce(), none)
})

test('one signer revokes; only the quorum restores', async () => {
  const { policies, putPolicy, putRevocation, loaded, rejected } = await governance()
  const revoked = () => policies.inForce().revocation.referenceValues
  await putPolicy({})
  await putRevocation({ seq: 1, referenceValues: ['worker-1'] })
  await policies.refresh()
  assert.deepEqual(revoked(), ['worker-1'])
  await putRevocation({ seq: 2 })
  await policies.refresh()
  assert.deepEqual(revoked(), ['worker-1'])
  assert.deepEqual(rejected, [revocationName(2)])
  await putRevocation({ seq: 3 }, two)
  await policies.refresh()
  assert.deepEqual(revoked(), [])
  assert.deepEqual(loaded, ['7/1', '7/3'])
})

test('without keys that certify its own grant CA the Verifier releases nothing', async () => {
  const { policies, putPolicy, putKeys, clock, rejected, seq } = await governance({ keys: false })
  await putPolicy({ expiresAt: NOW + 30 * DAY })
  await policies.refresh()
  assert.throws(() => policies.inForce(), none)
  await putKeys(1, NOW + DAY, keySigner(p384()))
  await policies.refresh()
  assert.throws(() => policies.inForce(), none)
  assert.deepEqual(rejected, [verifierKeysName(1)])
  await putKeys(2, NOW + DAY)
  await policies.refresh()
  assert.equal(seq(), 7)
  clock.pass(DAY)
  await policies.refresh()
  assert.throws(() => policies.inForce(), none)
})
