/**
 * Refusals that end by themselves: a person mends the policy, or OCI shows an object a moment later, and
 * nobody touches the machines or the jobs.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { sha256, toBase64url } from '#core/bytes.ts'
import { jobIdOf } from '#core/job/job.ts'
import type { Signer } from '#core/jws.ts'
import type { Policy } from '#core/policy/policy.ts'
import { REVOCATION, type Revocation, RevocationFormat } from '#core/policy/revocation.ts'
import { publish } from '#lab/demo/governance.ts'
import { messageOf } from '#lab/demo/logLine.ts'
import { AUDIENCE, TENANT } from '#lab/demo/names.ts'
import { policySigners, publishPolicy, withPermissions } from './governor.ts'
import { deadLetters } from './streamMessages.ts'
import { audit, resultsOf, type SystemUnderTest, startSystem, until, waitForLine } from './systemUnderTest.ts'

const WORKER = 'worker-1'

let system: SystemUnderTest
let signers: readonly Signer[]
before(async () => {
  system = await startSystem({ workers: 1, reservationMs: 2000 })
  signers = await policySigners(system)
})
after(() => system?.close())

test('a worker whose reference values are revoked waits, and goes on when they are restored', async () => {
  const pid = system.pid(WORKER)
  const list = await revoke(signers.slice(0, 1), { seq: 1, referenceValues: ['worker-1'] })
  const sealed = await system.seal('parked')
  const jobId = jobIdOf(await system.upload(sealed.file))
  await waitForLine(system, 'refused', { code: 'reference.revoked' })
  assert.equal(await readiness(), 503)
  assert.match(
    await system.deployment.metricsOf(WORKER),
    /cw_worker_refused\{code="reference\.revoked",place=""\} 1/,
  )
  assert.deepEqual(await deadLetters(system), [])

  await revoke(signers, { seq: 2, replaces: [list] })
  await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
  assert.equal((await resultsOf(system, sealed.headerDigest)).length, 1)
  assert.deepEqual(await deadLetters(system), [])
  assert.equal(system.pid(WORKER), pid)
  await until(system, 'the worker still counts as refused', async () => {
    const metrics = await system.deployment.metricsOf(WORKER)
    return (await readiness()) === 200 && !/cw_worker_refused\{/.test(metrics)
  })
})

test('a job under an expired permission waits, and has its result when the permission is renewed', async () => {
  const now = Math.floor(Date.now() / 1000)
  await publishPolicy(system, 2, ending(now - 1))
  const sealed = await system.seal('expired')
  const jobId = jobIdOf(await system.upload(sealed.file))
  await waitForLine(system, 'ended', { jobId, outcome: 'returned', code: 'permission.expired' })
  assert.deepEqual(await deadLetters(system), [])
  await publishPolicy(system, 3, ending(now + 86_400))
  await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
  assert.deepEqual(await deadLetters(system), [])
})

for (const { name, status, times } of [
  { name: 'that OCI does not show yet', status: 404, times: 1 },
  { name: 'that OCI forbids to read once', status: 403, times: 1 },
])
  test(`an object ${name} is not set aside, and the worker stays up`, async () => {
    const pid = system.pid(WORKER)
    const sealed = await system.seal(`status-${status}`)
    const match = { method: 'GET', path: `/b/outbox/o/${encodeURIComponent(sealed.object)}` }
    await system.deployment.control.arm({ service: 'objectstorage', match, status, times })
    const jobId = jobIdOf(await system.upload(sealed.file))
    await waitForLine(system, 'ended', { jobId, outcome: 'returned' })
    await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
    assert.deepEqual(await deadLetters(system), [])
    assert.equal(system.pid(WORKER), pid)
  })

test('the evidence of it is intact', async () => {
  await audit(system)
})

/** Publishes a list by these signers. Returns its digest. */
async function revoke(
  by: readonly Signer[],
  changes: Pick<Revocation, 'seq'> & Partial<Revocation>,
): Promise<string> {
  const list: Revocation = {
    v: 1,
    tenant: TENANT,
    audience: AUDIENCE,
    issuedAt: Math.floor(Date.now() / 1000),
    replaces: [],
    referenceValues: [],
    objects: [],
    boots: [],
    permissions: [],
    ...changes,
  }
  await publish(system.deployment.ociAs('governor').objectStore(), REVOCATION, list, by)
  await waitForLine(system, 'policy loaded', { revocationSeq: list.seq })
  return toBase64url(sha256(RevocationFormat.encode(list)))
}

async function readiness(): Promise<number> {
  const ready = system.linesOf(WORKER).find((line) => messageOf(line) === 'ready')
  return (await fetch(`${String(ready?.['monitor'])}/readyz`)).status
}

/** A policy whose permissions end then. */
function ending(notAfter: number) {
  return (policy: Policy): Policy => withPermissions(policy, (permission) => [{ ...permission, notAfter }])
}
