import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AcceptedVerdict } from '#core/appraisal/appraise.ts'
import { sha256, toBase64url, utf8 } from '#core/bytes.ts'
import { keySigner } from '#core/jws.ts'
import type { Policy } from '#core/policy/policy.ts'
import type { Revocation } from '#core/policy/revocation.ts'
import type { Asker } from '#core/release/assertion.ts'
import { decideJob } from '#core/release/decide.ts'
import { grantExpiry } from '#core/release/issue.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import { headerDigest } from '#core/sealed/header.ts'
import { addSeconds } from '#core/time.ts'
import { acceptedAt, DAY, datasetOf, ed25519, jobOf, NOW, permissionOf, policyOf } from './releaseWorld.ts'

const asker: Asker = { client: 'acme', purpose: 'HRESCH', scopes: ['system/Observation.rs'] }
const measured = acceptedAt('measured')
const platform = (administeredBy: 'provider' | 'consumer') => ({
  verdict: acceptedAt('platform'),
  policy: policyOf({ datasets: [datasetOf({ assurance: { level: 'platform', administeredBy } })] }),
})
const job = await jobOf()

type Case = {
  readonly job?: ReleaseJob
  readonly asker?: Asker
  readonly verdict?: AcceptedVerdict
  readonly policy?: Policy
  readonly revocation?: Partial<Revocation>
  readonly after?: number
}

function decide(given: Case) {
  const requester = {
    kind: 'accepted',
    asker: given.asker ?? asker,
    verdict: given.verdict ?? measured,
  } as const
  return decideJob(given.job ?? job, requester, {
    policy: given.policy ?? policyOf(),
    revocation: { objects: [], permissions: [], ...given.revocation },
    now: addSeconds(NOW, given.after ?? 0),
  })
}

test('granted: the permission, the object and the requested scopes', () => {
  const decision = decide({})
  assert.equal(decision.kind, 'granted')
  assert.equal(decision.permission.id, 'heart-2027')
  assert.equal(decision.dataset.id, 'cohort')
  assert.deepEqual(decision.scopes, ['system/Observation.rs'])
  assert.equal(decision.disclosure, false)
  assert.deepEqual(
    decision.objects.map((object) => object.headerDigest),
    job.objects.map(({ header }) => headerDigest(header)),
  )
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
    name: 'a scope that no permission covers',
    given: { asker: { ...asker, scopes: ['system/Observation.rs', 'system/Patient.rs'] } },
    codes: ['scope.exceeded'],
  },
  {
    name: 'an invalid scope',
    given: { asker: { ...asker, scopes: ['system/Observation.rs', 'everything'] } },
    codes: ['scope.invalid'],
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
    codes: ['request.malformed'],
  },
  { name: 'a set', given: { job: { ...job, set: 'a.b.c' } }, codes: ['request.malformed'] },
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
      asker: { ...asker, scopes: ['system/Patient.rs'] },
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

test('unknown and ungranted differ only in the requested names', () => {
  const unknown = decide({ job: anotherDataset })
  const ungranted = decide({ policy: policyOf({ datasets: [datasetOf({ permissions: [] })] }) })
  assert.equal(unknown.kind, 'refused')
  assert.equal(ungranted.kind, 'refused')
  assert.deepEqual(
    JSON.stringify(unknown.reasons).replaceAll('hospital/other', 'hospital/cohort'),
    JSON.stringify(ungranted.reasons),
  )
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

test('of several permissions the fitting one is used; if none fits, the nearest one gives the reasons', () => {
  const narrow = permissionOf({ id: 'narrow', scopes: ['system/Condition.rs'] })
  const ended = permissionOf({ id: 'ended', scopes: ['system/Condition.rs'], notAfter: NOW - 1 })
  const fits = decide({
    policy: policyOf({ datasets: [datasetOf({ permissions: [ended, narrow, permissionOf()] })] }),
  })
  assert.equal(fits.kind === 'granted' && fits.permission.id, 'heart-2027')
  const none = decide({ policy: policyOf({ datasets: [datasetOf({ permissions: [ended, narrow] })] }) })
  assert.deepEqual(none.kind === 'refused' && none.reasons.map(({ code, field }) => [code, field]), [
    ['scope.exceeded', 'permission narrow.scopes'],
  ])
})

test('the reasons of a refusal have an asked scope only if it is one, else its digest', () => {
  const actual = (scope: string) => {
    const decision = decide({ asker: { ...asker, scopes: [scope] } })
    return decision.kind === 'refused' && decision.reasons.map((reason) => reason.actual)
  }
  assert.deepEqual(actual('system/Patient.rs'), ['system/Patient.rs'])
  const text = 'John_Doe,born_1971-01-01'
  assert.deepEqual(actual(text), [`no scope, SHA-256 ${toBase64url(sha256(utf8(text)))}`])
})

test('a grant ends after an hour, or with the first thing that it depends on', () => {
  assert.equal(grantExpiry(NOW, NOW + DAY), NOW + 3600)
  assert.equal(grantExpiry(NOW, NOW + DAY, NOW + 60, NOW + 600), NOW + 60)
})

test('a type requested by wildcard and permitted by letters appears once in the grant', () => {
  const scopes = ['system/Observation.s', 'system/Observation.r', 'system/Condition.read']
  const decision = decide({ asker: { ...asker, scopes } })
  assert.deepEqual(decision.kind === 'granted' && decision.scopes, [
    'system/Condition.rs',
    'system/Observation.rs',
  ])
})
