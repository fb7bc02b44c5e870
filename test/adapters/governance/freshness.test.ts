/** The signer of freshness statements over a folder that hides objects, loses files and repeats creates. */
import assert from 'node:assert/strict'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readerOf } from '#adapters/evidence/collection.ts'
import { createFreshnessSigner, statesTheSame } from '#adapters/governance/freshness.ts'
import { CodedError } from '#core/errors.ts'
import { P384Jwk } from '#core/jwk.ts'
import { keySigner } from '#core/jws.ts'
import type { Kind } from '#core/policy/document.ts'
import { FreshnessFormat, freshnessName, readFreshness } from '#core/policy/freshness.ts'
import { POLICY } from '#core/policy/policy.ts'
import { REVOCATION } from '#core/policy/revocation.ts'
import { VERIFIER_KEYS } from '#core/policy/verifierKeys.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import {
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
} from '../../core/release/releaseWorld.ts'
import { hidingStore, putDocument } from '../../governanceDocuments.ts'
import { steerableClock } from '../../verifier/steerableClock.ts'
import { bucket, emptyStore, repeatingCreates } from '../../verifier/testBucket.ts'
import { temporaryFolder } from '../evidence/stores.ts'

const two = signers.slice(0, 2)
const stale = { name: 'CodedError', code: 'policy.stale' }

async function site() {
  const folder = await emptyStore()
  const { store, hide, show } = hidingStore(folder)
  const state = join(await temporaryFolder(), 'last.json')
  const clock = steerableClock()
  const ignored: string[] = []
  let skewed = false
  const put = <T extends { readonly seq: number }>(kind: Kind<T>, content: T, by = two) =>
    putDocument(folder, bucket, { kind, content, by })
  const open = (changes: { readonly store?: ObjectStore; readonly signer?: typeof freshnessKey } = {}) =>
    createFreshnessSigner({
      store,
      governance: readerOf(store, bucket),
      bucket,
      pin: { root, deployment: DEPLOYMENT },
      signer: freshnessKey,
      state,
      clock,
      ignored: ({ name }) => ignored.push(name),
      expectTrueClock: () => {
        if (skewed) throw new CodedError('clock.skewed', 'skewed')
      },
      ...changes,
    })
  const grantCa = { jwk: P384Jwk.parse(keySigner(p384()).jwk), keyId: 'ocid1.key.oc1..ca' }
  const keys = await put(VERIFIER_KEYS, verifierKeysOf(grantCa))
  const policy = await put(POLICY, policyOf({ seq: 1 }))
  return {
    open,
    store,
    state,
    clock,
    hide,
    show,
    ignored,
    names: { keys, policy },
    put,
    skew: (value: boolean) => {
      skewed = value
    },
    stored: async (name: string) =>
      readFreshness(
        (await folder.readAll({ ...bucket, name }, 4096)).toString(),
        freshnessKey.jwk,
        DEPLOYMENT,
      ),
  }
}
const always = () => true

test('it states what is in force, once a minute, and remembers it in a file', async () => {
  const { open, state, clock, stored, put } = await site()
  const signer = await open()
  assert.equal(signer.last(), undefined)
  const first = await signer.state(always)
  assert.equal(first?.name, freshnessName(NOW))
  assert.deepEqual(await stored(first.name), first.statement)
  assert.deepEqual(FreshnessFormat.decode(await readFile(state)), first.statement)
  assert.equal(await signer.state(always), undefined)
  await put(REVOCATION, revocationOf({ boots: ['a'.repeat(26)] }), signers.slice(0, 1))
  clock.pass(60)
  assert.equal(await signer.state(() => false), undefined)
  const second = await signer.state((last, next) => last !== undefined && !statesTheSame(last, next))
  assert.equal(second?.statement.revocation.seq, 1)
  clock.pass(60)
  assert.equal(
    await signer.state((last, next) => last !== undefined && !statesTheSame(last, next)),
    undefined,
  )
})

test('it never states less than it did: not when running, not after a start, not without its file', async () => {
  const { open, state, clock, hide, show, put } = await site()
  const revoked = await put(REVOCATION, revocationOf({ boots: ['a'.repeat(26)] }), signers.slice(0, 1))
  const policy = await put(POLICY, policyOf({ seq: 2 }))
  await (await open()).state(always)
  for (const name of [revoked, policy]) {
    hide(name)
    clock.pass(60)
    await assert.rejects((await open()).state(always), stale)
    show()
  }
  const kept = await readFile(state)
  await rm(state)
  hide(policy)
  await assert.rejects((await open()).state(always), stale)
  show()
  const stated = await (await open()).state(always)
  assert.equal(stated?.statement.policy.seq, 2)
  assert.ok(kept.byteLength > 0)
})

test('a lost answer is told from the statement of another process', async () => {
  const { open, clock, store } = await site()
  const repeating = await open({ store: repeatingCreates(store) })
  assert.equal((await repeating.state(always))?.name, freshnessName(NOW))
  clock.pass(60)
  const [one, other] = [await open(), await open()]
  assert.ok(await one.state(always))
  clock.pass(1)
  assert.equal(await other.state(always), undefined)
})

test('nothing is stated with another key, a wrong clock, or nothing in force; junk is told once', async () => {
  const { open, hide, show, ignored, names, put, skew } = await site()
  const none = { name: 'CodedError', code: 'policy.none' }
  await assert.rejects((await open({ signer: keySigner(ed25519()) })).state(always), none)
  skew(true)
  await assert.rejects((await open()).state(always), { code: 'clock.skewed' })
  skew(false)
  hide(names.policy)
  await assert.rejects((await open()).state(always), none)
  show()
  const alone = await put(POLICY, policyOf({ seq: 2 }), signers.slice(0, 1))
  const signer = await open()
  await signer.state(always)
  await signer.state(always)
  assert.deepEqual(ignored, [alone])
})
