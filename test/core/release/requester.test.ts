import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Verdict } from '#core/appraisal/appraise.ts'
import { scopesDigest } from '#core/fhir/scope.ts'
import type { Policy } from '#core/policy/policy.ts'
import type { Revocation } from '#core/policy/revocation.ts'
import type { VerifiedAsker } from '#core/release/assertion.ts'
import { decideRequester } from '#core/release/requester.ts'
import { digestOfText } from '#core/release/unsaid.ts'
import { acceptedAt, datasetOf, NOW, permissionOf, policyOf, refusedFor } from './releaseWorld.ts'

const asker: VerifiedAsker = { client: 'acme', purpose: 'HRESCH', scopesDigest: null }
const patients: VerifiedAsker = { ...asker, scopesDigest: scopesDigest(['system/Patient.rs']) }
const boot = 'b'.repeat(26)
const atPlatform = acceptedAt('platform')
const distances = [{ reference: 'worker-1', fields: ['processors[0].floor.snp'] }]
const belowFloor = refusedFor(
  [{ code: 'tcb.below-floor', field: 'snp', expected: '22', actual: '21', remedy: 'update' }],
  distances,
)
const ofPlatform = datasetOf({
  id: 'other',
  assurance: { level: 'platform', administeredBy: 'provider' },
  permissions: [permissionOf({ id: 'other' })],
})

type Case = {
  readonly asker?: VerifiedAsker
  readonly verdict?: Verdict
  readonly policy?: Policy
  readonly revocation?: Partial<Revocation>
}

function codesOf(given: Case): readonly string[] {
  const decision = decideRequester(
    { asker: given.asker ?? asker, boot, verdict: given.verdict ?? acceptedAt('measured') },
    {
      policy: given.policy ?? policyOf(),
      revocation: { boots: [], permissions: [], ...given.revocation },
    },
  )
  if (decision.kind === 'accepted') return []
  assert.notEqual(decision.reasons.length, 0)
  return decision.reasons.map(({ code }) => code)
}

for (const { name, given, codes } of [
  { name: 'a permission', given: {}, codes: [] },
  {
    name: 'a permission that has ended: its jobs wait for its renewal',
    given: {
      policy: policyOf({ datasets: [datasetOf({ permissions: [permissionOf({ notAfter: NOW })] })] }),
    },
    codes: [],
  },
  { name: 'another client', given: { asker: { ...asker, client: 'evil' } }, codes: ['client.none'] },
  { name: 'another purpose', given: { asker: { ...asker, purpose: 'TREAT' } }, codes: ['client.none'] },
  {
    name: 'no permission that is not revoked',
    given: { revocation: { permissions: ['heart-2027'] } },
    codes: ['client.none'],
  },
  {
    name: 'no permission at all',
    given: { policy: policyOf({ datasets: [datasetOf({ permissions: [] })] }) },
    codes: ['client.none'],
  },
  {
    name: 'scopes that no permission has',
    given: { asker: patients },
    codes: ['scope.exceeded'],
  },
  {
    name: 'the scopes of a permission of a second dataset',
    given: {
      asker: patients,
      policy: policyOf({
        datasets: [
          datasetOf(),
          datasetOf({
            id: 'second',
            permissions: [permissionOf({ id: 'wide', scopes: ['system/Patient.rs'] })],
          }),
        ],
      }),
    },
    codes: [],
  },
  {
    name: 'a platform-level machine where every dataset demands a measured one',
    given: { verdict: atPlatform },
    codes: ['assurance.insufficient'],
  },
  {
    name: 'a platform-level machine that one dataset admits',
    given: { verdict: atPlatform, policy: policyOf({ datasets: [datasetOf(), ofPlatform] }) },
    codes: [],
  },
  {
    name: 'a simulated machine where all data are real',
    given: { policy: policyOf({ datasets: [datasetOf({ synthetic: false })] }) },
    codes: ['root.untrusted'],
  },
  { name: 'a revoked boot', given: { revocation: { boots: [boot] } }, codes: ['boot.mismatch'] },
  { name: 'refused evidence', given: { verdict: belowFloor }, codes: ['tcb.below-floor'] },
  {
    name: 'everything at once, with each reason',
    given: { verdict: belowFloor, revocation: { boots: [boot] }, asker: { ...asker, client: 'evil' } },
    codes: ['tcb.below-floor', 'boot.mismatch', 'client.none'],
  },
] satisfies readonly { name: string; given: Case; codes: readonly string[] }[])
  test(`${codes.length === 0 ? 'accepted' : 'refused'}: ${name}`, () => {
    assert.deepEqual(codesOf(given), codes)
  })

test('a refused machine is told how far it is from each of the reference values, any other requester nothing', () => {
  const revocation = { boots: [boot], permissions: [] }
  const decide = (verdict: Verdict) =>
    decideRequester({ asker, boot, verdict }, { policy: policyOf(), revocation })
  const [far, near] = [decide(belowFloor), decide(acceptedAt('measured'))]
  assert.deepEqual([far.kind, near.kind], ['refused', 'refused'])
  assert.deepEqual('distances' in far && far.distances, distances)
  assert.deepEqual('distances' in near && near.distances, [])
})

test('an accepted requester is the one that asked, with its verdict', () => {
  const verdict = acceptedAt('measured')
  const rules = { policy: policyOf(), revocation: { boots: [], permissions: [] } }
  assert.deepEqual(decideRequester({ asker, boot, verdict }, rules), { kind: 'accepted', asker, verdict })
})

test('a purpose is told only if the policy has it', () => {
  const actual = (purpose: string) => {
    const decision = decideRequester(
      { asker: { ...asker, client: 'evil', purpose }, boot, verdict: acceptedAt('measured') },
      { policy: policyOf(), revocation: { boots: [], permissions: [] } },
    )
    return decision.kind === 'refused' ? decision.reasons.map((reason) => reason.actual) : []
  }
  assert.deepEqual(actual('HRESCH'), ['none for evil and HRESCH'])
  assert.deepEqual(actual('ADA'), [`none for evil and ${digestOfText('ADA')}`])
})
