import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readerOf } from '#adapters/evidence/collection.ts'
import { toHex, utf8 } from '#core/bytes.ts'
import { codeOf } from '#core/errors.ts'
import { P384Jwk, thumbprint } from '#core/jwk.ts'
import { keySigner, type Signer, signCompact } from '#core/jws.ts'
import { GovernanceBucket } from '#core/policy/bucket.ts'
import type { Kind } from '#core/policy/document.ts'
import {
  type Freshness,
  FreshnessFormat,
  freshnessName,
  readFreshness,
  statementOf,
} from '#core/policy/freshness.ts'
import { governanceInForce } from '#core/policy/inForce.ts'
import { POLICY, type Policy } from '#core/policy/policy.ts'
import { REVOCATION, type Revocation } from '#core/policy/revocation.ts'
import { VERIFIER_KEYS, type VerifierKeys } from '#core/policy/verifierKeys.ts'
import { ReleaseResponse } from '#core/release/request.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { createPolicyStore, type PolicyStore } from '../../src/verifier/policyStore.ts'
import { createStatements } from '../../src/verifier/statements.ts'
import { unavailable } from '../adapters/evidence/stores.ts'
import {
  DAY,
  DEPLOYMENT,
  ed25519,
  freshnessKey,
  NOW,
  p384,
  policyOf,
  revocationOf,
  root,
  signers,
  verifierKeysOf,
} from '../core/release/releaseWorld.ts'
import { hidingStore, putDocument } from '../governanceDocuments.ts'
import { steerableClock } from './steerableClock.ts'
import { bucket, emptyStore } from './testBucket.ts'

const grantCa = keySigner(p384())
const keyId = 'ocid1.key.oc1..grant-ca'
const freshness = { ...bucket, bucket: 'freshness' }
const none = { code: 'policy.none' }
const two = signers.slice(0, 2)
const mary = signers.slice(2)

async function governance(options: { readonly keys?: boolean; readonly stating?: boolean } = {}) {
  const folder = await emptyStore()
  const clock = steerableClock()
  await folder.create({ ...freshness, name: 'first' }, Buffer.alloc(1))
  const hiding = hidingStore(folder)
  const reads: string[] = []
  let reading = 0
  let mostReading = 0
  let down = false
  let deaf = false
  const store: ObjectStore = {
    ...hiding.store,
    list: async function* (...parameters) {
      if (down) throw unavailable()
      yield* hiding.store.list(...parameters)
    },
    readAll: async (object, ...parameters) => {
      if (object.bucket === bucket.bucket) reads.push(object.name)
      reading += 1
      mostReading = Math.max(mostReading, reading)
      try {
        return await folder.readAll(object, ...parameters)
      } finally {
        reading -= 1
      }
    },
  }
  const loaded: string[] = []
  const ignored: string[] = []
  const putStatement = async (
    statement: Freshness,
    by = freshnessKey,
    name = freshnessName(statement.iat),
  ) => {
    const jws = await signCompact(FreshnessFormat, statement, by)
    await folder.create({ ...freshness, name }, utf8(jws))
    return name
  }
  /** What the bucket contains, whatever is hidden. */
  const statement = async () => {
    const documents = new GovernanceBucket(readerOf(folder, bucket), root)
    await documents.refresh()
    const inForce = governanceInForce(documents.candidates, { root, deployment: DEPLOYMENT }, clock.now())
    return statementOf(inForce, DEPLOYMENT, clock.now())
  }
  /** Once a minute, as soon as there is something to state. */
  const state = async () => {
    try {
      await putStatement(await statement())
    } catch (error) {
      assert.ok(['policy.none', 'service.conflict'].includes(codeOf(error)), String(error))
    }
  }
  /** A replica that starts now. A statement precedes each of its listings. */
  const replica = (stating = true): PolicyStore => {
    const one = unstated()
    return {
      ...one,
      refresh: async () => {
        if (stating) await state()
        await one.refresh()
      },
    }
  }
  const unstated = () =>
    createPolicyStore({
      store,
      bucket,
      root,
      deployment: DEPLOYMENT,
      verifier: { simulation: true, vaultOnLoopback: true },
      grantCa: { keyId, jwk: grantCa.jwk },
      statements: createStatements(store, freshness, DEPLOYMENT, clock),
      clock,
      events: {
        loaded: ({ policy }, revocations, revocationSeq) => {
          if (deaf) throw unavailable()
          loaded.push(`${policy.seq}/${revocationSeq}+${revocations.length}`)
        },
        ignored: ({ name }) => ignored.push(name),
      },
    })
  const policies = replica(options.stating)
  let revocations = 0
  const put = <T extends { readonly seq: number }>(kind: Kind<T>, content: T, by: readonly Signer[]) =>
    putDocument(folder, bucket, { kind, content, by })
  const putKeys = (changes: Partial<VerifierKeys>, by = grantCa) =>
    put(VERIFIER_KEYS, verifierKeysOf({ jwk: P384Jwk.parse(by.jwk), keyId }, changes), two)
  if (options.keys ?? true) await putKeys({ exp: NOW + 60 * DAY })
  return {
    policies,
    replica,
    clock,
    loaded,
    ignored,
    reads,
    mostReading: () => mostReading,
    putKeys,
    hide: hiding.hide,
    show: hiding.show,
    statement,
    putStatement,
    deafen: (value: boolean) => {
      deaf = value
    },
    fail: (value: boolean) => {
      down = value
    },
    putFreshness: (name: string, bytes: Uint8Array) => folder.create({ ...freshness, name }, bytes),
    putRaw: (name: string, bytes: Uint8Array) => folder.create({ ...bucket, name }, bytes),
    putPolicy: (changes: Partial<Policy>, by: readonly Signer[] = two) => put(POLICY, policyOf(changes), by),
    putRevocation: (changes: Partial<Revocation>, by: readonly Signer[] = signers.slice(0, 1)) =>
      put(REVOCATION, revocationOf({ issuedAt: NOW - 10_000 + revocations++, ...changes }), by),
    seq: () => policies.inForce().loaded.policy.seq,
  }
}

/** The name of a document, with junk in it. */
const junkName = (folder: string, seq: number) =>
  `${folder}/${String(seq).padStart(9, '0')}-${toHex(Buffer.alloc(16, 7))}`

test('nothing is in force before the first listing, or with an empty bucket', async () => {
  const { policies } = await governance()
  assert.throws(() => policies.inForce(), none)
  assert.equal(policies.ageSeconds(), Number.POSITIVE_INFINITY)
  await policies.refresh()
  assert.throws(() => policies.inForce(), none)
  assert.equal(policies.ageSeconds(), 0)
})

test('the highest valid number wins; what does not count is reported once and changes nothing', async () => {
  const { policies, putPolicy, putRaw, seq, loaded, ignored } = await governance()
  await putPolicy({ seq: 3 })
  await policies.refresh()
  await putPolicy({ seq: 2 })
  const names = [
    await putPolicy({ seq: 4 }, signers.slice(0, 1)),
    junkName('policy', 5),
    junkName('policy', 6),
  ]
  await putRaw(junkName('policy', 5), utf8('{"payload":"","signatures":[]}'))
  await putRaw(junkName('policy', 6), Buffer.alloc(3 * 1024 * 1024))
  await policies.refresh()
  await policies.refresh()
  assert.equal(seq(), 3)
  assert.deepEqual(ignored.toSorted(), names)
  assert.equal(policies.ignored(), 3)
  await putPolicy({ seq: 7 })
  await policies.refresh()
  assert.equal(seq(), 7)
  assert.deepEqual(loaded, ['3/0+0', '7/0+0'])
})

test('other names are passed over unread, documents and junk are read once, several at a time', async () => {
  const { policies, putPolicy, putRaw, seq, reads, ignored, mostReading } = await governance()
  for (const name of ['policy/000000002', 'policy/999999999', 'policy/x', 'seal/abc', 'revocation/1'])
    await putRaw(name, utf8('x'))
  for (let at = 1; at <= 300; at++) await putRaw(junkName('policy', at), utf8('x'))
  await putPolicy({ seq: 1 })
  await policies.refresh()
  await policies.refresh()
  assert.equal(seq(), 1)
  assert.equal(ignored.length, 300)
  assert.equal(new Set(reads).size, reads.length)
  assert.equal(reads.length, 302)
  assert.ok(mostReading() > 8 && mostReading() <= 16, String(mostReading()))
})

test('a listing that fails in the middle is continued by the next one', async () => {
  const { policies, putPolicy, fail, seq } = await governance()
  fail(true)
  await assert.rejects(policies.refresh(), { code: 'service.unavailable' })
  fail(false)
  await putPolicy({})
  await policies.refresh()
  assert.equal(seq(), 7)
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
  assert.deepEqual(loaded, ['7/0+0'])
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

test('a policy of the quorum that does not load ends its predecessor (L1)', async () => {
  const { policies, putPolicy, ignored } = await governance()
  await putPolicy({ seq: 1 })
  const name = await putPolicy({ seq: 2, clients: [{ id: 'other', keys: [P384Jwk.parse(grantCa.jwk)] }] })
  await policies.refresh()
  assert.throws(() => policies.inForce(), { ...none, message: /client acme is not in clients/ })
  assert.deepEqual(ignored, [name])
  await putPolicy({ seq: 3 })
  await policies.refresh()
  assert.equal(policies.inForce().loaded.policy.seq, 3)
})

test('verifier keys of the quorum for another grant CA end the ones before them (L1)', async () => {
  const { policies, putPolicy, putKeys, seq } = await governance()
  await putPolicy({})
  await policies.refresh()
  assert.equal(seq(), 7)
  await putKeys({ seq: 2 }, keySigner(p384()))
  await policies.refresh()
  assert.throws(() => policies.inForce(), { ...none, message: /certifies another grant CA/ })
})

test('a list that one signer squats hides none of another, in a running and in a fresh replica (H2)', async () => {
  const { policies, replica, putPolicy, putRevocation } = await governance()
  const revoked = (one = policies) => one.inForce().revocation.boots
  const boots = ['a'.repeat(26)]
  await putPolicy({})
  await putRevocation({ seq: 1 })
  await policies.refresh()
  await putRevocation({ seq: 999_999_999, permissions: ['junk'] }, mary)
  await policies.refresh()
  await putRevocation({ seq: 2, boots })
  await policies.refresh()
  assert.deepEqual(revoked(), boots)
  const fresh = replica()
  await fresh.refresh()
  assert.deepEqual(revoked(fresh), boots)
})

test('a list that one signer inserts between, or under the same number, ends no other (H2)', async () => {
  const { policies, replica, putPolicy, putRevocation } = await governance()
  const boots = ['a'.repeat(26)]
  await putPolicy({})
  await putRevocation({ seq: 1 })
  await putRevocation({ seq: 5, permissions: ['junk'] }, mary)
  await putRevocation({ seq: 10, permissions: ['junk'] }, mary)
  await putRevocation({ seq: 10, boots })
  for (const one of [policies, replica()]) {
    await one.refresh()
    assert.deepEqual(one.inForce().revocation.boots, boots)
  }
})

test('a signer who fills up stops releases until the quorum acts, and takes nothing back (H2)', async () => {
  const { policies, putPolicy, putRevocation, ignored } = await governance()
  await putPolicy({ seq: 1 })
  await putRevocation({ seq: 500, boots: ['b'.repeat(26)] }, mary)
  for (let seq = 1; seq <= 64; seq++) await putRevocation({ seq, permissions: ['junk'] }, mary)
  await policies.refresh()
  assert.throws(() => policies.inForce(), { ...none, message: /1 revocation lists are over the limit/ })
  assert.equal(ignored.length, 1)
  await putPolicy({ seq: 2, excludedSigners: mary.map(({ jwk }) => thumbprint(jwk)) })
  await putRevocation({ seq: 3, boots: ['b'.repeat(26)] })
  await policies.refresh()
  assert.deepEqual(policies.inForce().revocation.boots, ['b'.repeat(26)])
})

test('one signer revokes; only the quorum restores', async () => {
  const { policies, putPolicy, putRevocation, loaded } = await governance()
  const revoked = () => policies.inForce().revocation.referenceValues
  await putPolicy({})
  await putRevocation({ seq: 1, referenceValues: ['worker-1'] })
  await policies.refresh()
  assert.deepEqual(revoked(), ['worker-1'])
  const replaces = policies.inForce().revocation.lists.map(({ digest }) => digest)
  await putRevocation({ seq: 2, replaces })
  await policies.refresh()
  assert.deepEqual(revoked(), ['worker-1'])
  await putRevocation({ seq: 3, replaces }, two)
  await policies.refresh()
  assert.deepEqual(revoked(), [])
  assert.deepEqual(loaded, ['7/1+1', '7/2+1', '7/3+1'])
})

test('without keys that certify its own grant CA the Verifier releases nothing', async () => {
  const { policies, putPolicy, putKeys, clock, ignored, seq } = await governance({ keys: false })
  await putPolicy({ expiresAt: NOW + 30 * DAY })
  await policies.refresh()
  assert.throws(() => policies.inForce(), none)
  const foreign = await putKeys({ seq: 1 }, keySigner(p384()))
  await policies.refresh()
  assert.throws(() => policies.inForce(), none)
  assert.deepEqual(ignored, [foreign])
  await putKeys({ seq: 2 })
  await policies.refresh()
  assert.equal(seq(), 7)
  clock.pass(DAY)
  await policies.refresh()
  assert.throws(() => policies.inForce(), none)
})

test('storage that hides what was stated gets no release: running and fresh replica (H3)', async () => {
  const { policies, replica, putPolicy, putRevocation, putKeys, clock, hide, show } = await governance()
  await putPolicy({ seq: 1 })
  await policies.refresh()
  assert.equal(policies.inForce().loaded.policy.seq, 1)
  for (const [put, missing] of [
    [() => putPolicy({ seq: 2 }), 'policy 2'],
    [() => putRevocation({ seq: 1, permissions: ['p'] }), '1 revocation lists'],
    [() => putKeys({ seq: 2, exp: NOW + 60 * DAY }), 'verifier keys 2'],
  ] as const) {
    clock.pass(60)
    hide(await put())
    for (const one of [policies, replica()]) {
      await one.refresh()
      assert.throws(() => one.inForce(), { code: 'policy.stale', message: new RegExp(missing) })
      // Every number is told, and the age of the listing is not what fails.
      assert.ok(one.freshSeconds() > 800 && one.ageSeconds() === 0)
    }
    show()
    await policies.refresh()
    assert.equal(policies.inForce().loaded.policy.seq, 2)
  }
})

test('who is behind a statement lists again, once, before it refuses', async () => {
  const { policies, putPolicy, clock, hide, seq } = await governance()
  await putPolicy({ seq: 1 })
  await policies.refresh()
  clock.pass(60)
  hide(await putPolicy({ seq: 2 }), 1)
  await policies.refresh()
  assert.equal(seq(), 2)
  clock.pass(60)
  hide(await putPolicy({ seq: 3 }), 2)
  await policies.refresh()
  assert.throws(() => policies.inForce(), { code: 'policy.stale', message: /policy 3/ })
  await policies.refresh()
  assert.equal(seq(), 3)
})

test('without a statement nothing is released; one ends to the second, hidden or not (H3)', async () => {
  const { policies, replica, putPolicy, statement, putStatement, clock, hide, seq } = await governance({
    stating: false,
  })
  const stale = (message: RegExp) =>
    assert.throws(() => policies.inForce(), { code: 'policy.stale', message })
  await putPolicy({})
  await policies.refresh()
  stale(/^no freshness statement of the last 15 minutes$/)
  assert.equal(policies.freshSeconds(), 0)

  const name = await putStatement(await statement())
  await policies.refresh()
  assert.equal(seq(), 7)
  assert.equal(policies.freshSeconds(), 900)
  hide(name)
  const listing = async (seconds: number) => {
    clock.pass(seconds)
    await policies.refresh()
  }
  await listing(899)
  assert.equal(seq(), 7)
  const fresh = replica(false)
  await fresh.refresh()
  assert.throws(() => fresh.inForce(), { code: 'policy.stale' })
  clock.pass(1)
  stale(/^the newest freshness statement ended at /)
  assert.equal(policies.freshSeconds(), 0)
  await listing(0)
  stale(/ended at/)
  await putStatement(await statement())
  await listing(0)
  assert.equal(seq(), 7)
})

test('storage that hides a revocation and every statement after it: 15 minutes later no replica releases', async () => {
  const { policies, replica, putPolicy, putRevocation, statement, putStatement, clock, hide } =
    await governance({ stating: false })
  await putPolicy({})
  await putStatement(await statement())
  const replicas = [policies, replica(false)]
  for (const one of replicas) await one.refresh()
  hide(await putRevocation({ seq: 1, permissions: ['p'] }))
  const revokedAt = clock.now()
  for (let minute = 1; minute < 15; minute += 1) {
    clock.pass(60)
    hide(await putStatement(await statement()))
    for (const one of replicas) {
      await one.refresh()
      assert.deepEqual(one.inForce().revocation.permissions, [])
    }
  }
  clock.pass(60)
  assert.equal(clock.now() - revokedAt, 15 * 60)
  for (const one of [...replicas, replica(false)]) {
    await one.refresh()
    assert.throws(() => one.inForce(), { code: 'policy.stale' })
  }
})

test('a statement counts by its key, for its deployment, under its minute, and from its time on', async () => {
  const { policies, putPolicy, statement, putStatement, putFreshness, clock, seq } = await governance({
    stating: false,
  })
  await putPolicy({})
  const good = await statement()
  const before = (minutes: number): Freshness => ({
    ...good,
    iat: NOW - 60 * minutes,
    exp: NOW + 100,
  })
  await putStatement(before(6), keySigner(ed25519()))
  await putStatement({ ...before(5), tenant: 'clinic' })
  await putStatement(before(4), freshnessKey, freshnessName(NOW - 180))
  await putStatement({ ...good, iat: NOW + 30, exp: NOW + 800 })
  await putFreshness(freshnessName(NOW - 120), Buffer.alloc(3000))
  await putFreshness(freshnessName(NOW - 60), Buffer.from([0xff]))
  await putFreshness(freshnessName(NOW + 60), utf8('later'))
  await policies.refresh()
  assert.throws(() => policies.inForce(), { code: 'policy.stale', message: /minutes; freshness\/\d{8}: / })
  clock.pass(30)
  await policies.refresh()
  assert.equal(seq(), 7)
})

test('workers get the statement as signed, and the keys of before that certified other grant CAs', async () => {
  const { policies, putKeys, putPolicy, statement } = await governance({ keys: false })
  const [older, old] = [keySigner(p384()), keySigner(p384())]
  await putKeys({ seq: 1, exp: NOW + DAY }, older)
  await putKeys({ seq: 2, exp: NOW + 9 * DAY }, older)
  await putKeys({ seq: 3, exp: NOW + 3 * DAY }, older)
  await putKeys({ seq: 4, exp: NOW + DAY }, old)
  await putKeys({ seq: 5, tenant: 'other', exp: NOW + DAY }, keySigner(p384()))
  await putKeys({ seq: 6, exp: NOW + DAY })
  await putKeys({ seq: 7, exp: NOW + 2 * DAY })
  await putPolicy({ seq: 1 })
  await policies.refresh()
  const { freshness: jws, keys } = policies.inForce()
  assert.deepEqual(readFreshness(jws, freshnessKey.jwk, DEPLOYMENT), await statement())
  const seqOf = (payload: string) => JSON.parse(Buffer.from(payload, 'base64url').toString()).seq
  assert.deepEqual(
    [keys.signed, ...keys.earlier].map(({ payload }) => seqOf(payload)),
    [7, 4, 2],
  )
})

test('workers get the keys of sixteen other grant CAs at most, the newest', async () => {
  const { policies, putKeys, putPolicy } = await governance({ keys: false })
  for (let seq = 1; seq <= 17; seq += 1) await putKeys({ seq, exp: NOW + DAY }, keySigner(p384()))
  await putKeys({ seq: 18, exp: NOW + DAY })
  await putPolicy({ seq: 1 })
  await policies.refresh()
  const { earlier } = policies.inForce().keys
  assert.equal(earlier.length, 16)
  assert.deepEqual(ReleaseResponse.shape.earlierKeys.parse([...earlier]), earlier)
})

test('a statement of more than a minute from now shows that this clock is behind, until it is not', async () => {
  const { policies, putPolicy, statement, putStatement, putFreshness, clock, seq } = await governance({
    stating: false,
  })
  await putPolicy({})
  const good = await statement()
  const later = (seconds: number) => ({ ...good, iat: NOW + seconds, exp: NOW + seconds + 900 })
  await putStatement(good)
  await putStatement(later(300), keySigner(ed25519()))
  await putStatement({ ...later(360), tenant: 'clinic' })
  await putStatement(later(60))
  await policies.refresh()
  assert.equal(seq(), 7)
  await putStatement(later(121))
  await policies.refresh()
  assert.throws(() => policies.inForce(), {
    code: 'clock.skewed',
    message: /^this clock is 121 seconds behind/,
  })
  clock.pass(60)
  await policies.refresh()
  assert.throws(() => policies.inForce(), { code: 'clock.skewed' })
  clock.pass(1)
  await policies.refresh()
  assert.equal(seq(), 7)
  // Sixteen names of later are read: who may write them all may also stop stating.
  for (let minute = 40; minute < 56; minute++)
    await putFreshness(freshnessName(NOW + 60 * minute), utf8('junk'))
  await putStatement(later(60 * 60))
  await policies.refresh()
  assert.equal(seq(), 7)
})
