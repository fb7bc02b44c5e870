/** What a worker believes of an answer before it looks at a grant: keys, freshness and its floor. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { sha256, toBase64url } from '#core/bytes.ts'
import type { ErrorCode } from '#core/errors.ts'
import { Ed25519Jwk, P384Jwk } from '#core/jwk.ts'
import { keySigner, type Signer, signCompact, signGeneral } from '#core/jws.ts'
import { Floor } from '#core/policy/floor.ts'
import type { Freshness } from '#core/policy/freshness.ts'
import { type VerifierKeys, VerifierKeysFormat } from '#core/policy/verifierKeys.ts'
import { acceptEnvelope, acceptGrantCas, type ExpectedEnvelope } from '#core/release/envelope.ts'
import { GrantKeyFormat } from '#core/release/grant.ts'
import { mintNonce } from '#core/release/nonce.ts'
import { addSeconds } from '#core/time.ts'
import {
  AUDIENCE,
  DAY,
  ed25519,
  freshnessOf,
  NOW,
  p384,
  root,
  signers,
  verifierKeysOf,
} from './releaseWorld.ts'

const grantCa = keySigner(p384())
const grantKey = keySigner(ed25519())
const keysOf = (changes: Partial<VerifierKeys> = {}, ca = grantCa) =>
  verifierKeysOf({ jwk: P384Jwk.parse(ca.jwk), keyId: 'ocid1.key.oc1..ca' }, { seq: 5, ...changes })
const signed = (keys: VerifierKeys, by: readonly Signer[] = signers.slice(0, 2)) =>
  signGeneral(VerifierKeysFormat, keys, by)
const digestOf = (keys: VerifierKeys) => toBase64url(sha256(VerifierKeysFormat.encode(keys)))
const named = (seq: number) => ({ seq, digest: toBase64url(randomBytes(32)) })

async function envelope(
  change: {
    readonly keys?: Partial<VerifierKeys>
    readonly freshness?: Partial<Freshness>
    readonly freshnessSigner?: Signer
  } = {},
) {
  const keys = keysOf(change.keys)
  const certified = { v: 1 as const, jwk: Ed25519Jwk.parse(grantKey.jwk), nbf: NOW - 60, exp: NOW + DAY }
  return {
    verifierKeys: await signed(keys),
    grantKey: await signCompact(GrantKeyFormat, certified, grantCa),
    freshness: await freshnessOf(keys, change.freshness, change.freshnessSigner),
  }
}
const expected = (changes: Partial<ExpectedEnvelope> = {}): ExpectedEnvelope => ({
  providerRoot: root,
  audience: AUDIENCE,
  nonce: mintNonce({ epoch: 1, key: randomBytes(32) }, AUDIENCE, NOW, randomBytes(16)),
  now: NOW,
  floor: new Floor(),
  ...changes,
})

test('keys under the pin and a statement in force give the grant key', async () => {
  const { verifierKeys, grantKey: key } = acceptEnvelope(await envelope(), expected())
  assert.deepEqual(verifierKeys, keysOf())
  assert.deepEqual(key.jwk, grantKey.jwk)
})

for (const { name, change, now = NOW, code } of [
  {
    name: 'keys for another audience',
    change: { keys: { audience: 'https://a.example' } },
    code: 'verifier.untrusted',
  },
  { name: 'a statement by another key', change: { freshnessSigner: grantKey }, code: 'verifier.untrusted' },
  {
    name: 'a statement for another audience',
    change: { freshness: { audience: 'https://a.example' } },
    code: 'verifier.untrusted',
  },
  {
    name: 'a statement for another tenant',
    change: { freshness: { tenant: 'other' } },
    code: 'verifier.untrusted',
  },
  {
    name: 'a statement that ended with the nonce minted',
    change: { freshness: { iat: NOW - 900, exp: NOW } },
    code: 'grant.stale',
  },
  {
    name: 'a statement that ended by the time of the worker',
    change: {},
    now: addSeconds(NOW, 600),
    code: 'grant.stale',
  },
  {
    name: 'a statement of after the life of the nonce',
    change: { freshness: { iat: NOW + 300, exp: NOW + 301 } },
    code: 'grant.stale',
  },
  {
    name: 'keys below its own statement',
    change: { freshness: { verifierKeys: named(6) } },
    code: 'grant.stale',
  },
  {
    name: 'other keys of the number in its statement',
    change: { freshness: { verifierKeys: named(5) } },
    code: 'grant.stale',
  },
] satisfies readonly {
  name: string
  change: Parameters<typeof envelope>[0]
  now?: typeof NOW
  code: ErrorCode
}[])
  test(`refused: ${name}`, async () => {
    const answer = await envelope(change)
    assert.throws(() => acceptEnvelope(answer, expected({ now })), { name: 'CodedError', code })
  })

test('what is no statement is refused', async () => {
  const answer = await envelope()
  for (const freshness of ['', 'a.b.c', answer.grantKey])
    assert.throws(() => acceptEnvelope({ ...answer, freshness }, expected()), { code: 'verifier.untrusted' })
})

test('a statement at both ends of its time is in force', async () => {
  for (const freshness of [
    { iat: NOW - 899, exp: NOW + 1 },
    { iat: NOW + 299, exp: NOW + 300 },
  ])
    assert.ok(acceptEnvelope(await envelope({ freshness }), expected()))
})

const grant = { policySeq: 7, revocationSeq: 2, dataset: 'cohort', consent: null }

test('a verified statement raises the floor, and an older one does not lower it', async () => {
  const floor = new Floor()
  const newer = { policy: named(8), revocation: named(3), iat: NOW - 30 }
  acceptEnvelope(await envelope({ freshness: newer }), expected({ floor }))
  const older = { policy: named(7), revocation: named(2) }
  acceptEnvelope(await envelope({ freshness: older }), expected({ floor }))
  for (const below of [grant, { ...grant, policySeq: 8 }, { ...grant, revocationSeq: 3 }])
    assert.throws(() => floor.expectGrant(below), { code: 'grant.stale' })
  floor.expectGrant({ ...grant, policySeq: 8, revocationSeq: 3 })
  floor.expectGrant({ ...grant, policySeq: 9, revocationSeq: 4 })
})

test('a statement raises the floor of the consent lists of each dataset', async () => {
  const floor = new Floor()
  const three = named(3)
  const freshness = { policy: named(7), consent: { cohort: three, other: named(1) } }
  acceptEnvelope(await envelope({ freshness }), expected({ floor }))
  for (const consent of [null, named(2), named(3)])
    assert.throws(() => floor.expectGrant({ ...grant, consent }), { code: 'grant.stale' })
  for (const consent of [three, named(4)]) floor.expectGrant({ ...grant, consent })
  floor.expectGrant({ ...grant, dataset: 'third' })
  // A newer policy gives the dataset no consent keys any more.
  floor.expectGrant({ ...grant, policySeq: 8 })
})

test('keys that the same answer leaves below its statement do not spare the floor', async () => {
  const floor = new Floor()
  const ahead = await envelope({ freshness: { policy: named(8), verifierKeys: named(6) } })
  assert.throws(() => acceptEnvelope(ahead, expected({ floor })), { code: 'grant.stale' })
  assert.throws(() => floor.expectGrant(grant), { code: 'grant.stale' })
})

for (const { name, change, changes } of [
  { name: 'by another key', change: { freshnessSigner: keySigner(ed25519()) } },
  { name: 'for another tenant', change: { freshness: { tenant: 'other' } } },
  { name: 'that has ended', change: { freshness: { iat: NOW - 900, exp: NOW } } },
  { name: 'under keys of another root', change: {}, changes: { providerRoot: { ...root, threshold: 3 } } },
])
  test(`a statement ${name} does not raise the floor`, async () => {
    const floor = new Floor()
    const high = { policy: named(900), verifierKeys: named(900), revocation: named(900) }
    const answer = await envelope({ ...change, freshness: { ...high, ...change.freshness } })
    assert.throws(() => acceptEnvelope(answer, expected({ floor, ...changes })))
    floor.expectGrant(grant)
    floor.expectKeys(named(1))
  })

test('the floor of the keys is a number and a digest', async () => {
  const floor = new Floor()
  acceptEnvelope(await envelope(), expected({ floor }))
  const before = await envelope({ keys: { seq: 4 }, freshness: { iat: NOW - 300 } })
  assert.throws(() => acceptEnvelope(before, expected({ floor })), { code: 'grant.stale' })
  assert.throws(() => floor.expectKeys(named(5)), { code: 'grant.stale' })
  floor.expectKeys({ seq: 5, digest: digestOf(keysOf()) })
  acceptEnvelope(await envelope({ keys: { seq: 6 } }), expected({ floor }))
})

test('the floor is the same in whatever order statements come, and never falls', () => {
  const seq = fc.integer({ min: 1, max: 4 })
  const digest = fc.constantFrom('a', 'b')
  const number = fc.record({ seq, digest })
  const statement = fc.record({
    policy: number,
    verifierKeys: fc.record({ seq, digest: fc.constant('a') }),
    revocation: number,
    consent: fc.record({ cohort: fc.record({ seq, digest: fc.constant('a') }) }),
  })
  const isHeld = (work: () => void) => {
    try {
      work()
      return true
    } catch {
      return false
    }
  }
  fc.assert(
    fc.property(
      fc.array(statement),
      fc.array(fc.nat()),
      seq,
      seq,
      (statements, order, policySeq, revocationSeq) => {
        const [one, other] = [new Floor(), new Floor()]
        const before: boolean[] = []
        for (const each of statements) {
          before.push(
            isHeld(() =>
              one.expectGrant({
                policySeq,
                revocationSeq,
                dataset: 'cohort',
                consent: { seq: policySeq, digest: 'a' },
              }),
            ),
          )
          one.raise(each)
        }
        for (const each of statements.toSorted(
          (a, b) => (order[statements.indexOf(a)] ?? 0) - (order[statements.indexOf(b)] ?? 0),
        ))
          other.raise(each)
        const holds = isHeld(() =>
          one.expectGrant({
            policySeq,
            revocationSeq,
            dataset: 'cohort',
            consent: { seq: policySeq, digest: 'a' },
          }),
        )
        assert.equal(
          holds,
          isHeld(() =>
            other.expectGrant({
              policySeq,
              revocationSeq,
              dataset: 'cohort',
              consent: { seq: policySeq, digest: 'a' },
            }),
          ),
        )
        assert.equal(
          holds,
          statements.every(
            ({ policy, revocation, consent }) =>
              policy.seq <= policySeq && revocation.seq <= revocationSeq && consent.cohort.seq <= policySeq,
          ),
        )
        // Once below the floor, below it for good.
        assert.deepEqual(
          before,
          before.toSorted((a, b) => Number(b) - Number(a)),
        )
        assert.equal(
          isHeld(() => one.expectKeys({ seq: policySeq, digest: 'a' })),
          statements.every(({ verifierKeys }) => verifierKeys.seq <= policySeq),
        )
      },
    ),
  )
})

test('grant CAs of before are those that the quorum certified for this deployment', async () => {
  const old = keysOf({ seq: 3, exp: NOW - 5 }, keySigner(p384()))
  const cas = acceptGrantCas({ earlierKeys: [await signed(old)] }, keysOf(), expected())
  assert.deepEqual(cas, [
    { jwk: grantCa.jwk, exp: keysOf().exp },
    { jwk: old.grantCa.jwk, exp: NOW - 5 },
  ])
  for (const foreign of [
    await signed(old, [signers[0]]),
    await signed(old, [keySigner(ed25519()), keySigner(ed25519())]),
    await signed({ ...old, tenant: 'other' }),
    await signed({ ...old, audience: 'https://a.example' }),
  ])
    assert.throws(() => acceptGrantCas({ earlierKeys: [foreign] }, keysOf(), expected()), {
      code: 'verifier.untrusted',
    })
})
