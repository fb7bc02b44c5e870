/** Decision and explanation never disagree: what is refused has the reasons that hold, what is granted has none. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { expandScopes, scopesDigest } from '#core/fhir/scope.ts'
import { keySigner } from '#core/jws.ts'
import type { Permission } from '#core/policy/policy.ts'
import { decideJobs } from '#core/release/decide.ts'
import { acceptedAt, DAY, datasetOf, ed25519, jobOf, NOW, permissionOf, policyOf } from './releaseWorld.ts'

const SEAL_ID = '5e'.repeat(16)
const JOBS = { good: await jobOf(), foreign: await jobOf({}, keySigner(ed25519())) }
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
  job: mostly<'good' | 'foreign'>('good', 'foreign'),
  tenant: mostly('hospital', 'clinic'),
  dataset: mostly('cohort', 'another'),
  synthetic: mostly(true, false),
  machine: mostly<'measured' | 'platform'>('measured', 'platform'),
  demands: mostly<'measured' | 'platform'>('measured', 'platform'),
  withdrawn: mostly(false, true),
})

test('of every policy and request', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(worlds, (world) => {
      const [decision] = decideJobs(
        [JOBS[world.job]],
        {
          kind: 'accepted',
          asker: {
            client: 'acme',
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
                assurance:
                  world.demands === 'measured'
                    ? { level: 'measured' }
                    : { level: 'platform', administeredBy: 'neutral' },
              }),
            ],
          }),
          revocation: {
            objects: world.withdrawn ? [SEAL_ID] : [],
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
    { numRuns: 2000 },
  )
  assert.deepEqual([...seen].sort(), [
    'assurance.insufficient',
    'granted',
    'object.unsigned',
    'object.withdrawn',
    'permission.expired',
    'permission.none',
    'root.untrusted',
    'scope.exceeded',
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
    ...(world.job === 'foreign' ? ['object.unsigned'] : []),
    ...(world.withdrawn ? ['object.withdrawn'] : []),
    ...(machine === 'platform' && demands === 'measured' ? ['assurance.insufficient'] : []),
    ...(synthetic ? [] : ['root.untrusted']),
  ]
  return candidates
    .map(against)
    .filter((reasons) => reasons.length === least)
    .map((reasons) => [...others, ...reasons].sort().join(' '))
}
