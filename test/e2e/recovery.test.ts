/**
 * Refusals that end by themselves: a person mends the policy, or OCI shows an object a moment later, and
 * nobody touches the machines or the jobs.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { utf8 } from '#core/bytes.ts'
import { jobIdOf } from '#core/job/job.ts'
import { type Signer, signGeneral } from '#core/jws.ts'
import type { Policy } from '#core/policy/policy.ts'
import { RevocationFormat, revocationName } from '#core/policy/revocation.ts'
import { toUnixSeconds } from '#core/time.ts'
import { messageOf } from '#lab/demo/logLine.ts'
import { GOVERNANCE, policySigners, publishPolicy, withPermissions } from './governor.ts'
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
  await revoke(1, ['worker-1'], signers.slice(0, 1))
  const sealed = await system.seal('parked')
  const jobId = jobIdOf(await system.upload(sealed.file))
  await waitForLine(system, 'refused', { code: 'reference.revoked' })
  assert.equal(await readiness(), 503)
  assert.match(
    await system.deployment.metricsOf(WORKER),
    /cw_worker_refused\{code="reference\.revoked",place=""\} 1/,
  )
  assert.deepEqual(await deadLetters(system), [])

  await revoke(2, [], signers)
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

/** A list by these signers. Fewer than the quorum may only add. */
async function revoke(seq: number, referenceValues: readonly string[], by: readonly Signer[]): Promise<void> {
  const issuedAt = toUnixSeconds(Math.floor(Date.now() / 1000))
  const list = { v: 1 as const, seq, issuedAt, referenceValues: [...referenceValues] }
  const signed = await signGeneral(RevocationFormat, { ...list, objects: [], boots: [], permissions: [] }, by)
  const governor = system.deployment.ociAs('governor')
  await governor
    .objectStore()
    .create({ ...GOVERNANCE, name: revocationName(seq) }, utf8(JSON.stringify(signed)))
  await waitForLine(system, 'policy loaded', { revocationSeq: seq })
}

async function readiness(): Promise<number> {
  const ready = system.linesOf(WORKER).find((line) => messageOf(line) === 'ready')
  return (await fetch(`${String(ready?.['monitor'])}/readyz`)).status
}

/** A policy whose permissions end then. */
function ending(notAfter: number) {
  return (policy: Policy): Policy => withPermissions(policy, (permission) => [{ ...permission, notAfter }])
}
