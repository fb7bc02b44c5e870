/** Decision and explanation never disagree: what is refused has the reasons that hold, what is granted has none. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { expandScopes, scopesDigest } from '#core/fhir/scope.ts'
import { keySigner } from '#core/jws.ts'
import type { Permission } from '#core/policy/policy.ts'
import { decideJobs } from '#core/release/decide.ts'
import { decideRequester } from '#core/release/requester.ts'
import {
  acceptedAt,
  DAY,
  datasetOf,
  ed25519,
  headerOf,
  jobOf,
  NOW,
  permissionOf,
  policyOf,
  refusedFor,
  setJobOf,
} from './releaseWorld.ts'

/** Of the object of its own, and of the members of the set. */
const SEAL_IDS = ['5e', '0a', '0b', '0c'].map((byte) => byte.repeat(16))
const stranger = keySigner(ed25519())
const good = await jobOf()
const set = await setJobOf()
/** Jobs, and what docs/formats/release.md says against each, whatever the policy. */
const JOBS = {
  good: { job: good, against: [] },
  foreign: { job: await jobOf({}, stranger), against: ['object.unsigned'] },
  'under another key': {
    job: await jobOf({ custody: { ...headerOf().custody, keyId: 'ocid1.key.oc1..other' } }),
    against: ['object.unsigned'],
  },
  misplaced: {
    job: { ...good, objects: good.objects.map((object) => ({ ...object, name: 'elsewhere' })) },
    against: ['object.misplaced'],
  },
  old: { job: await jobOf({ sealedAt: NOW - DAY - 1 }), against: ['object.withdrawn'] },
  set: { job: set, against: [] },
  'set by a stranger': { job: await setJobOf({ recordSigner: stranger }), against: ['object.unsigned'] },
  'old set': {
    job: await setJobOf({ record: { sealedAt: NOW - DAY - 1 } }),
    against: ['object.withdrawn'],
  },
  'part of a set': {
    job: { ...set, objects: set.objects.slice(1) },
    // Its length, and the first of its members.
    against: ['set.incomplete', 'set.incomplete'],
  },
  'members without a record': {
    job: { traceparent: set.traceparent, objects: set.objects },
    against: ['set.incomplete'],
  },
} as const
type JobName = keyof typeof JOBS
const OTHERS = Object.keys(JOBS).slice(1) as JobName[]
const SCOPES = [['system/Condition.rs'], ['system/Condition.rs', 'system/Observation.rs'], ['system/*.rs']]
/** Ended, in force, not yet begun. */
const WINDOWS = [
  { notBefore: NOW - DAY, notAfter: NOW },
  { notBefore: NOW, notAfter: NOW + 1 },
  { notBefore: NOW + 1, notAfter: NOW + DAY },
]

/** Most worlds have few faults, so that some are granted. */
const mostly = <T>(good: T, bad: T) =>
  fc.oneof({ weight: 7, arbitrary: fc.constant(good) }, { weight: 1, arbitrary: fc.constant(bad) })

const ASKER = { client: 'acme', purpose: 'HRESCH' }
const assuranceOf = (level: 'measured' | 'platform') =>
  level === 'measured' ? { level } : { level, administeredBy: 'neutral' as const }

const permissions = fc
  .array(
    fc.record({
      client: mostly('acme', 'other'),
      purpose: mostly('HRESCH', 'TREAT'),
      scopes: fc.constantFrom(...SCOPES),
      window: fc.constantFrom(...WINDOWS),
      revoked: mostly(false, true),
    }),
    { maxLength: 5 },
  )
  .map((rows) =>
    rows.map(({ window, revoked, ...row }, index) => ({
      permission: permissionOf({ id: `permission-${index}`, ...row, ...window }),
      revoked,
    })),
  )

const worlds = fc.record({
  permissions,
  asked: fc.option(fc.constantFrom(...SCOPES)),
  purpose: mostly('HRESCH', 'TREAT'),
  job: fc.oneof(
    { weight: 7, arbitrary: fc.constant<JobName>('good') },
    { weight: 3, arbitrary: fc.constantFrom(...OTHERS) },
  ),
  tenant: mostly('hospital', 'clinic'),
  dataset: mostly('cohort', 'another'),
  synthetic: mostly(true, false),
  machine: mostly<'measured' | 'platform'>('measured', 'platform'),
  demands: mostly<'measured' | 'platform'>('measured', 'platform'),
  withdrawn: mostly(false, true),
})

test('of every policy and job', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(worlds, (world) => {
      const [decision] = decideJobs(
        [JOBS[world.job].job],
        {
          kind: 'accepted',
          asker: {
            ...ASKER,
            purpose: world.purpose,
            scopesDigest: world.asked && scopesDigest(expandScopes(world.asked)),
          },
          verdict: acceptedAt(world.machine),
        },
        {
          policy: policyOf({
            tenant: world.tenant,
            datasets: [
              datasetOf({
                id: world.dataset,
                synthetic: world.synthetic,
                permissions: world.permissions.map(({ permission }) => permission),
                assurance: assuranceOf(world.demands),
              }),
            ],
          }),
          consent: new Map(),
          revocation: {
            objects: world.withdrawn ? SEAL_IDS : [],
            permissions: world.permissions.flatMap(({ permission, revoked }) =>
              revoked ? [permission.id] : [],
            ),
          },
          now: NOW,
        },
      )
      assert.ok(decision !== undefined)
      const codes = decision.kind === 'granted' ? [] : decision.reasons.map(({ code }) => code)
      for (const code of codes.length === 0 ? ['granted'] : codes) seen.add(code)
      assert.equal(codes.length === 0, decision.kind === 'granted')
      assert.ok(expectedOf(world).includes(codes.toSorted().join(' ')), `${codes}`)
    }),
    { numRuns: 600 },
  )
  assert.deepEqual([...seen].sort(), [
    'assurance.insufficient',
    'granted',
    'object.misplaced',
    'object.unsigned',
    'object.withdrawn',
    'permission.expired',
    'permission.none',
    'root.untrusted',
    'scope.exceeded',
    'set.incomplete',
  ])
})

const requesters = fc.record({
  datasets: fc.array(
    fc.record({
      client: mostly('acme', 'other'),
      purpose: mostly('HRESCH', 'TREAT'),
      scopes: fc.constantFrom(...SCOPES),
      revoked: mostly(false, true),
      synthetic: mostly(true, false),
      demands: mostly<'measured' | 'platform'>('measured', 'platform'),
    }),
    { maxLength: 3 },
  ),
  asked: fc.option(fc.constantFrom(...SCOPES)),
  machine: mostly<'measured' | 'platform'>('measured', 'platform'),
  refused: mostly(false, true),
  bootRevoked: mostly(false, true),
})

test('of every policy and requester', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(requesters, ({ datasets, asked, machine, refused, bootRevoked }) => {
      const boot = 'b'.repeat(26)
      const reason = { code: 'vmpl.violated', field: 'vmpl', expected: '0', actual: '1', remedy: '' } as const
      const decision = decideRequester(
        {
          asker: { ...ASKER, scopesDigest: asked && scopesDigest(expandScopes(asked)) },
          boot,
          verdict: refused ? refusedFor([reason]) : acceptedAt(machine),
        },
        {
          policy: policyOf({
            datasets: datasets.map(({ client, purpose, scopes, synthetic, demands }, at) =>
              datasetOf({
                id: `dataset-${at}`,
                synthetic,
                permissions: [permissionOf({ id: `permission-${at}`, client, purpose, scopes })],
                assurance: assuranceOf(demands),
              }),
            ),
          }),
          revocation: {
            boots: bootRevoked ? [boot] : [],
            permissions: datasets.flatMap(({ revoked }, at) => (revoked ? [`permission-${at}`] : [])),
          },
        },
      )
      const codes = decision.kind === 'accepted' ? ['accepted'] : decision.reasons.map(({ code }) => code)
      for (const code of codes) seen.add(code)
      const uses = datasets
        .filter(({ client, purpose, revoked }) => client === 'acme' && purpose === 'HRESCH' && !revoked)
        .map(({ scopes, synthetic, demands }) => [
          ...(asked === null || asked === scopes ? [] : ['scope.exceeded']),
          ...(!refused && machine === 'platform' && demands === 'measured' ? ['assurance.insufficient'] : []),
          ...(!refused && !synthetic ? ['root.untrusted'] : []),
        ])
      const least = Math.min(...uses.map((use) => use.length))
      const use = uses.find(({ length }) => length === least) ?? ['client.none']
      const expected = [...(refused ? [reason.code] : []), ...(bootRevoked ? ['boot.mismatch'] : []), ...use]
      assert.deepEqual(codes, expected.length === 0 ? ['accepted'] : expected)
    }),
    { numRuns: 600 },
  )
  assert.deepEqual([...seen].sort(), [
    'accepted',
    'assurance.insufficient',
    'boot.mismatch',
    'client.none',
    'root.untrusted',
    'scope.exceeded',
    'vmpl.violated',
  ])
})

/** By the sentences of docs/formats/release.md, not by the rules of the code: the sets of codes that may be said. */
function expectedOf(world: typeof worlds extends fc.Arbitrary<infer World> ? World : never): string[] {
  const { asked, tenant, dataset, synthetic, machine, demands } = world
  const candidates = world.permissions
    .filter(({ revoked }) => !revoked)
    .map(({ permission }) => permission)
    .filter(({ client, purpose }) => client === 'acme' && purpose === world.purpose)
  if (tenant !== 'hospital' || dataset !== 'cohort' || candidates.length === 0) return ['permission.none']
  const against = ({ notBefore, notAfter, scopes }: Permission): string[] => [
    ...(notBefore <= NOW && NOW < notAfter ? [] : ['permission.expired']),
    ...(asked === null || asked === scopes ? [] : ['scope.exceeded']),
  ]
  const least = Math.min(...candidates.map((permission) => against(permission).length))
  const others = [
    ...JOBS[world.job].against,
    ...(world.withdrawn ? JOBS[world.job].job.objects.map(() => 'object.withdrawn') : []),
    ...(machine === 'platform' && demands === 'measured' ? ['assurance.insufficient'] : []),
    ...(synthetic ? [] : ['root.untrusted']),
  ]
  return candidates
    .map(against)
    .filter((reasons) => reasons.length === least)
    .map((reasons) => [...others, ...reasons].sort().join(' '))
}
