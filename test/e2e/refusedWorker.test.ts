/**
 * A worker that the Verifier refuses as a whole stays up, takes no partition, and goes on by itself when the
 * cause is gone: a person mends the policy, and nobody touches the machines.
 */
import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { utf8 } from '#core/bytes.ts'
import { jobIdOf } from '#core/job/job.ts'
import { keySigner, type Signer, signGeneral } from '#core/jws.ts'
import { RevocationFormat, revocationName } from '#core/policy/revocation.ts'
import { toUnixSeconds } from '#core/time.ts'
import { messageOf } from '#lab/demo/logLine.ts'
import { PROVIDER, SIGNERS } from '#lab/demo/names.ts'
import { deadLetters } from './streamMessages.ts'
import { audit, resultsOf, type SystemUnderTest, startSystem, until, waitForLine } from './systemUnderTest.ts'

const WORKER = 'worker-1'

let system: SystemUnderTest
let signers: readonly Signer[]
before(async () => {
  system = await startSystem({ workers: 1, reservationMs: 2000 })
  signers = await Promise.all(
    SIGNERS.map(async (person) =>
      keySigner(createPrivateKey(await readFile(join(system.deployment.folders.keys, `${person}.pem`)))),
    ),
  )
})
after(() => system?.close())

test('a worker whose reference values are revoked waits, and goes on when they are restored', async () => {
  const pid = system.pid(WORKER)
  await revoke(1, ['worker-1'], signers.slice(0, 1))
  const sealed = await system.seal('parked')
  const jobId = jobIdOf(await system.upload(sealed.file))
  await waitForLine(system, 'refused', { code: 'reference.revoked' })
  assert.equal(await readiness(), 503)
  assert.match(await system.deployment.metricsOf(WORKER), /cw_worker_refused\{code="reference\.revoked"\} 1/)
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
    .create(
      { namespace: PROVIDER.namespace, bucket: 'governance', name: revocationName(seq) },
      utf8(JSON.stringify(signed)),
    )
  await waitForLine(system, 'policy loaded', { revocationSeq: seq })
}

async function readiness(): Promise<number> {
  const ready = system.linesOf(WORKER).find((line) => messageOf(line) === 'ready')
  return (await fetch(`${String(ready?.['monitor'])}/readyz`)).status
}
