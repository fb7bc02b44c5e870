/**
 * What the scopes of one request cost the event loop (security review, M1: 145 ms for each of 256 jobs). Processor
 * time, and the least of several runs, so that other load on the machine counts little.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codeOf } from '#core/errors.ts'
import { scopesDigest } from '#core/fhir/scope.ts'
import { checkPolicy } from '#core/policy/policyCheck.ts'
import { askedScopesDigest } from '#core/release/assertion.ts'
import { decideJobs } from '#core/release/decide.ts'
import { lookUpPermission } from '#core/release/permissionRules.ts'
import { decideRequester } from '#core/release/requester.ts'
import { acceptedAt, headerOf, jobOf, NOW } from './releaseWorld.ts'
import { WORST_CLAIMS, widestPolicy } from './worstScopes.ts'

const LIMIT_MS = 5
const RUNS = 7

for (const [what, claim] of Object.entries(WORST_CLAIMS))
  test(`asked scopes cost less than ${LIMIT_MS} ms: ${what}`, () => {
    const outcomes = new Set<string>()
    const cost = leastCost(() => outcomes.add(outcomeOf(claim)))
    assert.ok(cost < LIMIT_MS, `${cost} ms`)
    assert.equal(outcomes.size, 1)
  })

const policy = widestPolicy()
checkPolicy(policy, { simulation: true, vaultOnLoopback: true })
const asker = { client: 'acme', purpose: 'HRESCH', scopesDigest: scopesDigest(['system/Patient.rs']) }
const verdict = acceptedAt('measured')
const revocation = { objects: [], permissions: [], boots: [] }

test('among 256 permissions of 209 scopes each, a look-up compares digests', () => {
  const rules = { policy, revocation, consent: new Map(), now: NOW }
  const cost = leastCost(() => lookUpPermission(headerOf(), asker, rules))
  assert.ok(cost < LIMIT_MS, `${cost} ms for an object`)
  const first = leastCost(() => decideRequester({ asker, boot: 'b'.repeat(26), verdict }, rules))
  assert.ok(first < LIMIT_MS, `${first} ms for the requester`)
})

test('256 objects of one dataset need one look-up', async () => {
  let lookUps = 0
  const watched = {
    ...policy,
    get datasets() {
      lookUps++
      return policy.datasets
    },
  }
  const job = await jobOf()
  const jobs = Array.from({ length: 256 }, () => job)
  const decided = decideJobs(
    jobs,
    { kind: 'accepted', asker, verdict },
    { policy: watched, revocation, consent: new Map(), now: NOW },
  )
  assert.deepEqual(
    new Set(decided.map((one) => (one.kind === 'refused' ? one.reasons[0]?.code : one.kind))),
    new Set(['scope.exceeded']),
  )
  assert.equal(lookUps, 1)
})

function outcomeOf(claim: string): string {
  try {
    return String(askedScopesDigest(claim))
  } catch (error) {
    assert.equal(codeOf(error), 'scope.invalid')
    return 'scope.invalid'
  }
}

/** Milliseconds of processor time. */
function leastCost(call: () => unknown): number {
  const costs = Array.from({ length: RUNS }, () => {
    const from = process.cpuUsage()
    call()
    const { user, system } = process.cpuUsage(from)
    return (user + system) / 1000
  })
  return Math.min(...costs)
}
