/** What a worker has seen to be in force never falls, in whatever order it sees it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toBase64url } from '#core/bytes.ts'
import { Floor, type Named } from '#core/policy/floor.ts'

const [a, b] = [1, 2].map((byte) => toBase64url(Buffer.alloc(32, byte))) as [string, string]
const stale = { name: 'CodedError', code: 'grant.stale' }
const named = (policy: number, verifierKeys: number, revocation: number, digest = a): Named => ({
  policy: { seq: policy, digest: a },
  verifierKeys: { seq: verifierKeys, digest },
  revocation: { seq: revocation, digest: a },
  consent: {},
})
const granted = (policySeq: number, revocationSeq: number) => ({
  policySeq,
  revocationSeq,
  dataset: 'cohort',
  consent: null,
})
const raised = (...statements: readonly Named[]) => {
  const floor = new Floor()
  for (const statement of statements) floor.raise(statement)
  return floor
}

test('before the first statement the first documents do', () => {
  const floor = new Floor()
  floor.expectKeys({ seq: 1, digest: a })
  floor.expectGrant(granted(1, 0))
})

test('each number is the highest of all statements, in any order', () => {
  const statements = [named(5, 3, 7), named(4, 2, 9), named(6, 1, 8)]
  for (const floor of [raised(...statements), raised(...statements.toReversed())]) {
    floor.expectGrant(granted(6, 9))
    floor.expectGrant(granted(7, 10))
    assert.throws(() => floor.expectGrant(granted(5, 9)), stale)
    assert.throws(() => floor.expectGrant(granted(6, 8)), stale)
    floor.expectKeys({ seq: 3, digest: a })
    floor.expectKeys({ seq: 4, digest: b })
    assert.throws(() => floor.expectKeys({ seq: 2, digest: a }), stale)
  }
})

test('of two keys of one number the first that was seen counts', () => {
  const floor = raised(named(1, 2, 0, a), named(1, 2, 0, b))
  floor.expectKeys({ seq: 2, digest: a })
  assert.throws(() => floor.expectKeys({ seq: 2, digest: b }), stale)
})

test('the consent lists of a dataset never become fewer or others, but a newer policy may take them away', () => {
  const consent = (policy: number, seq: number, digest = a): Named => ({
    ...named(policy, 1, 0),
    consent: { cohort: { seq, digest } },
  })
  const grantedWith = (policySeq: number, lists: { seq: number; digest: string } | null) => ({
    ...granted(policySeq, 0),
    consent: lists,
  })
  for (const statements of [
    [consent(1, 2), consent(2, 2), consent(1, 1, b)],
    [consent(1, 1, b), consent(2, 2), consent(1, 2)],
  ]) {
    const floor = raised(...statements)
    floor.expectGrant(grantedWith(2, { seq: 2, digest: a }))
    floor.expectGrant(grantedWith(2, { seq: 3, digest: b }))
    floor.expectGrant(grantedWith(3, null))
    floor.expectGrant({ ...grantedWith(2, null), dataset: 'other' })
    for (const lists of [{ seq: 1, digest: a }, { seq: 2, digest: b }, null])
      assert.throws(() => floor.expectGrant(grantedWith(2, lists)), stale)
  }
})
