import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AcceptedVerdict } from '#core/appraisal/appraise.ts'
import { expandScopes, scopesDigest } from '#core/fhir/scope.ts'
import { keySigner } from '#core/jws.ts'
import type { Consent } from '#core/policy/consent.ts'
import { type ConsentUnion, uniteConsents } from '#core/policy/consentUnion.ts'
import type { Permission, Policy } from '#core/policy/policy.ts'
import type { Revocation } from '#core/policy/revocation.ts'
import type { VerifiedAsker } from '#core/release/assertion.ts'
import { decideJobs } from '#core/release/decide.ts'
import { grantExpiry } from '#core/release/issue.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import { digestOfText } from '#core/release/unsaid.ts'
import { headerDigest } from '#core/sealed/header.ts'
import { addSeconds } from '#core/time.ts'
import {
  acceptedAt,
  consentListOf,
  DAY,
  datasetOf,
  ed25519,
  jobOf,
  NOW,
  p384,
  permissionOf,
  policyOf,
  root,
  sealingKey,
} from './releaseWorld.ts'

const asker: VerifiedAsker = { client: 'acme', purpose: 'HRESCH', scopesDigest: null }
const asking = (...scopes: string[]): VerifiedAsker => ({
  ...asker,
  scopesDigest: scopesDigest(expandScopes(scopes)),
})
const measured = acceptedAt('measured')
const platform = (administeredBy: 'provider' | 'consumer') => ({
  verdict: acceptedAt('platform'),
  policy: policyOf({ datasets: [datasetOf({ assurance: { level: 'platform', administeredBy } })] }),
})
const job = await jobOf()

type Case = {
  readonly job?: ReleaseJob
  readonly asker?: VerifiedAsker
  readonly verdict?: AcceptedVerdict
  readonly policy?: Policy
  readonly revocation?: Partial<Revocation>
  readonly consent?: ReadonlyMap<string, ConsentUnion>
  readonly after?: number
}

function decide(given: Case) {
  const requester = {
    kind: 'accepted',
    asker: given.asker ?? asker,
    verdict: given.verdict ?? measured,
  } as const
  const [decision] = decideJobs([given.job ?? job], requester, {
    policy: given.policy ?? policyOf(),
    revocation: { objects: [], permissions: [], ...given.revocation },
    consent: given.consent ?? new Map(),
    now: addSeconds(NOW, given.after ?? 0),
  })
  assert.ok(decision !== undefined)
  return decision
}

const withConsent = policyOf({
  datasets: [datasetOf({ consent: { keys: [sealingKey.jwk], keyIds: ['ocid1.key.oc1..consent'] } })],
})
const lists = (...inForce: readonly Consent[]) => {
  const union = { seq: inForce.length, digest: 'd', lists: [], inForce, unsigned: [], problem: '' }
  return new Map([['cohort', union]])
}

test('a dataset with consent keys is released under its lists', () => {
  const consent = lists(consentListOf())
  const decision = decide({ policy: withConsent, consent })
  assert.equal(decision.kind, 'granted')
  assert.equal(decision.consent, consent.get('cohort'))
  // Without consent keys the policy gives it no lists, whatever the bucket has.
  const other = decide({ consent })
  assert.equal(other.kind === 'granted' && other.consent, null)
})

const { custody } = consentListOf().list
for (const [name, consent, actual] of [
  ['no statement names them', new Map(), 'no freshness statement names its lists'],
  ['none is in force', new Map([['cohort', uniteConsents([], root, [], new Set())]]), 'no list is in force'],
  [
    'one is under another Vault key',
    lists(
      consentListOf(),
      consentListOf({
        seq: 4,
        list: { ...consentListOf().list, custody: { ...custody, keyId: 'ocid1.key.oc1..other' } },
      }),
    ),
    'list 4 is under a Vault key that the policy does not name',
  ],
] as const)
  test(`refused with consent keys, but no lists: ${name}`, () => {
    const decision = decide({ policy: withConsent, consent })
    assert.ok(decision.kind === 'refused')
    assert.deepEqual(
      decision.reasons.map((reason) => [reason.code, reason.actual]),
      [['consent.none', actual]],
    )
  })

test('granted: the permission and the object', () => {
  const decision = decide({})
  assert.equal(decision.kind, 'granted')
  assert.equal(decision.permission.id, 'heart-2027')
  assert.equal(decision.dataset.id, 'cohort')
  assert.equal(decision.disclosure, false)
  assert.deepEqual(
    decision.objects.map((object) => object.headerDigest),
    job.objects.map(({ header }) => headerDigest(header)),
  )
})

test('granted: real and synthetic data on a real machine', () => {
  for (const synthetic of [false, true]) {
    const policy = policyOf({ datasets: [datasetOf({ synthetic })] })
    assert.equal(decide({ policy, verdict: acceptedAt('measured', false) }).kind, 'granted')
  }
})

test('granted: an object sealed in the second of notSealedBefore', async () => {
  assert.equal(decide({ job: await jobOf({ sealedAt: NOW - DAY }) }).kind, 'granted')
})

test('a sealing key off its curve is a fault of the policy, not a foreign signature', async () => {
  const { jwk, sign } = keySigner(p384())
  assert.ok(jwk.kty === 'EC')
  const offCurve = { ...jwk, y: jwk.x }
  const given = {
    job: await jobOf({}, { jwk: offCurve, sign }),
    policy: policyOf({ datasets: [datasetOf({ sealingKeys: [offCurve] })] }),
  }
  assert.throws(() => decide(given), { code: 'encoding.invalid' })
})

const two = await jobOf({ sealId: '6f'.repeat(16) })
const anotherDataset = await jobOf({ dataset: 'other' })
const foreign = await jobOf({}, keySigner(ed25519()))

for (const { name, given, codes } of [
  { name: 'an unknown dataset', given: { job: anotherDataset }, codes: ['permission.none'] },
  { name: 'an unknown tenant', given: { job: await jobOf({ tenant: 'other' }) }, codes: ['permission.none'] },
  { name: 'another purpose', given: { asker: { ...asker, purpose: 'TREAT' } }, codes: ['permission.none'] },
  { name: 'another client', given: { asker: { ...asker, client: 'evil' } }, codes: ['permission.none'] },
  {
    name: 'a dataset without permissions',
    given: { policy: policyOf({ datasets: [datasetOf({ permissions: [] })] }) },
    codes: ['permission.none'],
  },
  {
    name: 'a revoked permission',
    given: { revocation: { permissions: ['heart-2027'] } },
    codes: ['permission.none'],
  },
  {
    name: 'without a permission and wrongly signed: only the first reason',
    given: { job: foreign, asker: { ...asker, client: 'evil' } },
    codes: ['permission.none'],
  },
  { name: 'a permission that has ended', given: { after: DAY }, codes: ['permission.expired'] },
  { name: 'a permission that has not begun', given: { after: -DAY - 1 }, codes: ['permission.expired'] },
  {
    name: 'more scopes than the permission has',
    given: { asker: asking('system/Condition.rs', 'system/Observation.rs', 'system/Patient.rs') },
    codes: ['scope.exceeded'],
  },
  {
    name: 'fewer scopes than the permission has',
    given: { asker: asking('system/Observation.rs') },
    codes: ['scope.exceeded'],
  },
  {
    name: 'narrower scopes than the permission has',
    given: { asker: asking('system/Condition.rs?code=86406008', 'system/Observation.rs') },
    codes: ['scope.exceeded'],
  },
  { name: 'a header by another key', given: { job: foreign }, codes: ['object.unsigned'] },
  {
    name: 'a DEK under a key of another dataset',
    given: { policy: policyOf({ datasets: [datasetOf({ keyIds: ['ocid1.key.oc1..other'] })] }) },
    codes: ['object.unsigned'],
  },
  {
    name: 'an object under another name',
    given: { job: { ...job, objects: job.objects.map((object) => ({ ...object, name: 'elsewhere' })) } },
    codes: ['object.misplaced'],
  },
  {
    name: 'an object sealed before notSealedBefore',
    given: { job: await jobOf({ sealedAt: NOW - DAY - 1 }) },
    codes: ['object.withdrawn'],
  },
  {
    name: 'a withdrawn object',
    given: { revocation: { objects: ['5e'.repeat(16)] } },
    codes: ['object.withdrawn'],
  },
  {
    name: 'several objects without a set',
    given: { job: { ...job, objects: [...job.objects, ...two.objects] } },
    codes: ['set.incomplete'],
  },
  { name: 'a malformed set record', given: { job: { ...job, set: 'a.b.c' } }, codes: ['object.malformed'] },
  {
    name: 'a malformed header',
    given: { job: { ...job, objects: job.objects.map((object) => ({ ...object, header: 'a.b.c' })) } },
    codes: ['object.malformed'],
  },
  {
    name: 'a platform-level machine for a measured dataset',
    given: { verdict: platform('consumer').verdict },
    codes: ['assurance.insufficient'],
  },
  {
    name: 'real data on a simulated machine',
    given: { policy: policyOf({ datasets: [datasetOf({ synthetic: false })] }) },
    codes: ['root.untrusted'],
  },
  {
    name: 'everything at once, with each reason',
    given: {
      job: foreign,
      asker: asking('system/Patient.rs'),
      verdict: platform('consumer').verdict,
      revocation: { objects: ['5e'.repeat(16)] },
      after: DAY,
    },
    codes: [
      'object.unsigned',
      'object.withdrawn',
      'assurance.insufficient',
      'permission.expired',
      'scope.exceeded',
    ],
  },
] satisfies readonly { name: string; given: Case; codes: readonly string[] }[])
  test(`refused: ${name}`, () => {
    const decision = decide(given)
    assert.equal(decision.kind, 'refused')
    assert.deepEqual(
      decision.reasons.map(({ code }) => code),
      codes,
    )
  })

test('unknown and ungranted differ only in the requested names, which are digests if the policy has them nowhere', () => {
  const unknown = decide({ job: anotherDataset })
  const otherPurpose = permissionOf({ purpose: 'TREAT' })
  const ungranted = decide({ policy: policyOf({ datasets: [datasetOf({ permissions: [otherPurpose] })] }) })
  assert.equal(unknown.kind, 'refused')
  assert.equal(ungranted.kind, 'refused')
  assert.deepEqual(
    JSON.stringify(unknown.reasons).replace(`hospital/${digestOfText('other')}`, 'hospital/cohort'),
    JSON.stringify(ungranted.reasons).replace(digestOfText('HRESCH'), 'HRESCH'),
  )
})

test('a reason tells a tenant, dataset or purpose only if the policy has it', async () => {
  const said = async (header: Parameters<typeof jobOf>[0], purpose: string) => {
    const decision = decide({ job: await jobOf(header), asker: { ...asker, client: 'evil', purpose } })
    assert.equal(decision.kind, 'refused')
    return decision.reasons.map(({ expected, actual }) => ({ expected, actual }))
  }
  assert.deepEqual(await said({}, 'HRESCH'), [
    { expected: 'a permission in hospital/cohort', actual: 'none in force for evil and HRESCH' },
  ])
  assert.deepEqual(await said({ tenant: 'adas-clinic', dataset: 'ada' }, 'ADA'), [
    {
      expected: `a permission in ${digestOfText('adas-clinic')}/${digestOfText('ada')}`,
      actual: `none in force for evil and ${digestOfText('ADA')}`,
    },
  ])
})

for (const { by, disclosure } of [
  { by: 'provider', disclosure: false },
  { by: 'consumer', disclosure: true },
] as const)
  test(`a permitted platform-level machine of the ${by}: disclosure is ${disclosure}`, () => {
    const decision = decide(platform(by))
    assert.equal(decision.kind, 'granted')
    assert.equal(decision.disclosure, disclosure)
  })

test('a measured machine is never a disclosure', () => {
  const decision = decide({ ...platform('consumer'), verdict: measured })
  assert.equal(decision.kind, 'granted')
  assert.equal(decision.disclosure, false)
})

const narrow = permissionOf({ id: 'narrow', scopes: ['system/Condition.rs'] })
const ended = permissionOf({ id: 'ended', scopes: ['system/Condition.rs'], notAfter: NOW - 1 })
const withPermissions = (...permissions: readonly Permission[]) =>
  policyOf({ datasets: [datasetOf({ permissions: [...permissions] })] })

for (const [asked, permissions, expected] of [
  [asker, [permissionOf(), narrow], 'heart-2027'],
  [asker, [ended, narrow, permissionOf()], 'narrow'],
  [asking('system/Condition.rs'), [ended, permissionOf(), narrow], 'narrow'],
  [asking('system/Condition.s', 'system/Condition.r'), [permissionOf(), narrow], 'narrow'],
  [asking('system/Observation.rs', 'system/Condition.rs'), [ended, narrow, permissionOf()], 'heart-2027'],
] as const)
  test(`of ${permissions.map(({ id }) => id)} the first that fits is used: ${expected}`, () => {
    const fits = decide({ asker: asked, policy: withPermissions(...permissions) })
    assert.equal(fits.kind === 'granted' && fits.permission.id, expected)
  })

test('if no permission fits, the nearest one gives the reasons, without a word of the requester', () => {
  const none = decide({ asker: asking('system/Patient.rs'), policy: withPermissions(ended, narrow) })
  const [own, asked] = ['system/Condition.rs', 'system/Patient.rs'].map((scope) => scopesDigest([scope]))
  assert.deepEqual(none.kind === 'refused' && none.reasons, [
    {
      code: 'scope.exceeded',
      field: 'permission narrow.scopes',
      expected: `no scope, or exactly the scopes with SHA-256 ${own}`,
      actual: `scopes with SHA-256 ${asked}`,
      remedy: "ask without a scope: the terms are the permission's",
    },
  ])
})

test('a grant ends after an hour, or with the first thing that it depends on', () => {
  assert.equal(grantExpiry(NOW, NOW + DAY), NOW + 3600)
  assert.equal(grantExpiry(NOW, NOW + DAY, NOW + 60, NOW + 600), NOW + 60)
})
