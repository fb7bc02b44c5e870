/** What a freshness statement says, and who is behind it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { P384Jwk } from '#core/jwk.ts'
import { keySigner, signCompact } from '#core/jws.ts'
import type { GovernanceDocument } from '#core/policy/document.ts'
import {
  beforeFreshness,
  behind,
  FreshnessFormat,
  freshnessName,
  isFreshnessName,
  readFreshness,
  statementOf,
} from '#core/policy/freshness.ts'
import { governanceInForce } from '#core/policy/inForce.ts'
import { POLICY, type Policy } from '#core/policy/policy.ts'
import { REVOCATION, type Revocation } from '#core/policy/revocation.ts'
import { VERIFIER_KEYS, type VerifierKeys } from '#core/policy/verifierKeys.ts'
import { addSeconds } from '#core/time.ts'
import { documentOf } from '../../governanceDocuments.ts'
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
} from '../release/releaseWorld.ts'

const stale = { name: 'CodedError', code: 'policy.stale' }

const grantCa = { jwk: P384Jwk.parse(keySigner(p384()).jwk), keyId: 'ocid1.key.oc1..ca' }
const policies = [
  await documentOf(POLICY, policyOf({ seq: 1 })),
  await documentOf(POLICY, policyOf({ seq: 2 })),
]
const verifierKeys = [
  await documentOf(VERIFIER_KEYS, verifierKeysOf(grantCa)),
  await documentOf(VERIFIER_KEYS, verifierKeysOf(grantCa, { seq: 2 })),
]
const list = (changes: Partial<Revocation>) => documentOf(REVOCATION, revocationOf(changes), signers.slice(2))
const revocations = [
  await list({ seq: 1, issuedAt: NOW - 200, permissions: ['a'] }),
  await list({ seq: 2, issuedAt: NOW - 100, permissions: ['b'] }),
]

function inForce(
  changes: {
    readonly policies?: readonly GovernanceDocument<Policy>[]
    readonly verifierKeys?: readonly GovernanceDocument<VerifierKeys>[]
    readonly revocations?: readonly GovernanceDocument<Revocation>[]
  } = {},
) {
  const all = { policies, verifierKeys, revocations, consents: [], ...changes }
  return governanceInForce(all, { root, deployment: DEPLOYMENT }, NOW)
}
const statement = statementOf(inForce(), DEPLOYMENT, NOW)

test('a statement names what is in force, and ends after 15 minutes', () => {
  const { v, tenant, audience, policy, revocation, consent, iat, exp } = statement
  assert.deepEqual(
    [v, tenant, audience, policy, revocation.seq, consent, iat, exp],
    [1, ...Object.values(DEPLOYMENT), { seq: 2, digest: policies[1]?.digest }, 2, {}, NOW, NOW + 900],
  )
  assert.deepEqual(statement.verifierKeys, { seq: 2, digest: verifierKeys[1]?.digest })
  assert.deepEqual(FreshnessFormat.decode(FreshnessFormat.encode(statement)), statement)
  for (const wrong of [
    { exp: NOW + 901 },
    { exp: NOW },
    { consent: { Cohort: { seq: 1, digest: statement.policy.digest } } },
    { consent: { cohort: { seq: 1, digest: '' } } },
    { policy: { seq: 0, digest: statement.policy.digest } },
  ])
    assert.throws(() => FreshnessFormat.encode({ ...statement, ...wrong } as typeof statement), stale)
})

test('nothing is stated if nothing is in force', () => {
  const none = { name: 'CodedError', code: 'policy.none' }
  assert.throws(() => statementOf(inForce({ policies: [] }), DEPLOYMENT, NOW), none)
  assert.throws(() => statementOf(inForce({ verifierKeys: [] }), DEPLOYMENT, NOW), none)
  const nothingRevoked = statementOf(inForce({ revocations: [] }), DEPLOYMENT, NOW)
  assert.equal(nothingRevoked.revocation.seq, 0)
  assert.equal(behind(inForce({ revocations: [] }), nothingRevoked), undefined)
})

test('a statement counts by the key that is named for it, and for its deployment only', async () => {
  const jws = await signCompact(FreshnessFormat, statement, freshnessKey)
  assert.deepEqual(readFreshness(jws, freshnessKey.jwk, DEPLOYMENT), statement)
  assert.throws(() => readFreshness(jws, keySigner(ed25519()).jwk, DEPLOYMENT), stale)
  assert.throws(() => readFreshness(jws, freshnessKey.jwk, { ...DEPLOYMENT, tenant: 'clinic' }), stale)
  assert.throws(
    () => readFreshness(jws, freshnessKey.jwk, { ...DEPLOYMENT, audience: 'https://clinic.example' }),
    stale,
  )
})

test('who is shown less than a statement names is behind (H3)', async () => {
  const [first, second] = [policies.slice(0, 1), revocations.slice(0, 1)]
  assert.equal(behind(inForce(), statement), undefined)
  assert.equal(behind(inForce({ policies: first }), statement), 'policy 2')
  assert.equal(behind(inForce({ policies: [] }), statement), 'policy 2')
  assert.equal(behind(inForce({ verifierKeys: verifierKeys.slice(0, 1) }), statement), 'verifier keys 2')
  assert.equal(behind(inForce({ revocations: second }), statement), '2 revocation lists')
  const twin = await documentOf(POLICY, policyOf({ seq: 2, issuedAt: NOW - 1 }))
  assert.equal(behind(inForce({ policies: [...first, twin] }), statement), 'policy 2')
})

test('a hidden revocation list is not made up for by others (H3)', async () => {
  const junk = await Promise.all([3, 4, 5].map((seq) => list({ seq, permissions: [`junk-${seq}`] })))
  for (let hidden = 0; hidden < revocations.length; hidden++)
    for (let added = 0; added <= junk.length; added++)
      assert.equal(
        behind(
          inForce({ revocations: [...revocations.toSpliced(hidden, 1), ...junk.slice(0, added)] }),
          statement,
        ),
        '2 revocation lists',
      )
})

test('who knows a list of the same second as those of a statement is not behind', async () => {
  const tied = await Promise.all(
    [3, 4, 5, 6].map((seq) => list({ seq, issuedAt: NOW - 50, permissions: [`t-${seq}`] })),
  )
  for (let stated = 1; stated < 2 ** tied.length; stated++) {
    const some = [...revocations, ...tied.filter((_, index) => (stated >> index) % 2 === 1)]
    const then = statementOf(inForce({ revocations: some }), DEPLOYMENT, NOW)
    assert.equal(behind(inForce({ revocations: [...revocations, ...tied] }), then), undefined)
    // Each of its own is still missed, with any of the others in its place.
    for (const hidden of some)
      assert.equal(
        behind(inForce({ revocations: [...revocations, ...tied].filter((one) => one !== hidden) }), then),
        `${some.length} revocation lists`,
      )
  }
})

test('more lists of one second than are tried wait for the next statement', async () => {
  const tied = await Promise.all(
    Array.from({ length: 9 }, (_, index) => list({ seq: index + 3, issuedAt: NOW - 50, boots: [] })),
  )
  const all = inForce({ revocations: tied })
  const outcomes = tied.map((one) =>
    behind(all, statementOf(inForce({ revocations: [one] }), DEPLOYMENT, NOW)),
  )
  assert.equal(outcomes.filter((outcome) => outcome === undefined).length, 1)
  assert.equal(behind(all, statementOf(all, DEPLOYMENT, NOW)), undefined)
})

test('a statement that counts more lists than its digest covers shows that some are missing', () => {
  const { digest } = statement.revocation
  assert.equal(behind(inForce(), { ...statement, revocation: { seq: 3, digest } }), '3 revocation lists')
})

test('who knows more than a statement names is not behind', async () => {
  const more = {
    policies: [...policies, await documentOf(POLICY, policyOf({ seq: 3 }))],
    revocations: [...revocations, await list({ seq: 3, permissions: ['c'] })],
  }
  assert.equal(behind(inForce(more), statement), undefined)
})

test('a statement is named by its minute', () => {
  assert.equal(freshnessName(NOW), 'freshness/30000000')
  assert.equal(freshnessName(60), 'freshness/00000001')
  assert.ok(isFreshnessName(freshnessName(NOW)))
  for (const name of ['freshness/1', 'freshness/030000000', 'freshness/30000000/x', 'other/30000000'])
    assert.equal(isFreshnessName(name), false, name)
  // The oldest statement that may be in force lies behind it, and at most one that may not.
  assert.equal(beforeFreshness(NOW), freshnessName(NOW - 960))
  assert.equal(beforeFreshness(addSeconds(NOW, 59)), freshnessName(NOW - 960))
  assert.ok(beforeFreshness(NOW) < freshnessName(addSeconds(NOW, -900)))
})
