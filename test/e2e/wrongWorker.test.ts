/**
 * Two right workers and a wrong one over three partitions. The wrong one is refused before it joins the group,
 * so every object has its result and none is set aside.
 */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { toBase64url } from '#core/bytes.ts'
import { jobIdOf } from '#core/job/job.ts'
import type { Policy } from '#core/policy/policy.ts'
import { messageOf } from '#lab/demo/logLine.ts'
import { WorkerConfig } from '../../src/worker/config.ts'
import { readTrust } from '../../src/worker/material.ts'
import { publishPolicy, withPermissions } from './governor.ts'
import { deadLetters } from './streamMessages.ts'
import { audit, resultsOf, type SystemUnderTest, startSystem, until, waitForLine } from './systemUnderTest.ts'

const WRONG = 'worker-3'
const OBJECTS = 6

let system: SystemUnderTest
let right: string
before(async () => {
  system = await startSystem({ workers: 3, partitions: 3, reservationMs: 2000 })
  right = await readFile(system.deployment.configOf(WRONG), 'utf8')
})
after(() => system?.close())

type Trust = { readonly client: string; readonly purpose: string }

const trust = (change: Partial<Trust>) => (config: { readonly trust: Trust }) => ({
  ...config,
  trust: { ...config.trust, ...change },
})

for (const { wrong, code, says = 'refused', change } of [
  { wrong: 'another purpose', code: 'trust.unknown', change: trust({ purpose: 'HMARKT' }) },
  // Before the request is authentic nothing is signed: the worker waits, which takes no job either.
  {
    wrong: 'another client',
    code: 'refusal.unsigned',
    says: 'waiting',
    change: trust({ client: 'stranger' }),
  },
  {
    wrong: 'a measurement that nobody approved',
    code: 'measurement.unknown',
    change: async (config: object) => ({ ...config, ...(await guestOf('probe-unapproved')) }),
  },
  {
    wrong: 'a machine whose disk is not measured',
    code: 'assurance.insufficient',
    change: async (config: object) => ({ ...config, ...(await guestOf('probe-platform')) }),
  },
])
  test(`${wrong}: it takes no job, and says ${code}`, async () => {
    const said = system.linesOf(WRONG).length
    await restartWrong(JSON.stringify(await change(JSON.parse(right))))
    const objects = await Promise.all(Array.from({ length: OBJECTS }, (_, at) => put(`${code}-${at}`)))
    for (const { jobId, headerDigest } of objects) {
      await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
      assert.equal((await resultsOf(system, headerDigest)).length, 1)
    }
    await waitForLine(system, says, { code })
    assert.deepEqual(await deadLetters(system), [])
    const lines = system.linesOf(WRONG).slice(said)
    assert.equal(lines.filter((line) => messageOf(line) === 'leased').length, 0)
    assert.equal(await readiness(), 503)
    const metrics = await system.deployment.metricsOf(WRONG)
    assert.ok(metrics.includes(`cw_worker_refused{code="${code}",place=""} 1`), metrics)
  })

test('when its configuration and its permission are signed, the worker joins by itself and takes jobs', async () => {
  const config = trust({ purpose: 'HMARKT' })(JSON.parse(right))
  const { digest } = await readTrust(WorkerConfig.parse(config))
  await restartWrong(JSON.stringify(config))
  await waitForLine(system, 'refused', { code: 'trust.unknown' })
  const pid = system.pid(WRONG)
  const approved = (policy: Policy): Policy => ({
    ...policy,
    referenceValues: policy.referenceValues.map((reference) => ({
      ...reference,
      trust: [...reference.trust, toBase64url(digest)],
    })),
  })
  await publishPolicy(system, 2, approved)
  await waitForLine(system, 'refused', { code: 'client.none' })
  await publishPolicy(system, 3, (policy) =>
    withPermissions(approved(policy), (permission) => [
      permission,
      { ...permission, id: 'marketing', purpose: 'HMARKT' },
    ]),
  )
  await until(system, 'the worker is still refused', async () => {
    const metrics = await system.deployment.metricsOf(WRONG)
    return (await readiness()) === 200 && !metrics.includes('cw_worker_refused{')
  })
  assert.equal(system.pid(WRONG), pid)
})

test('the evidence of it is intact', async () => {
  await audit(system)
})

async function restartWrong(config: string): Promise<void> {
  await writeFile(system.deployment.configOf(WRONG), config)
  await system.deployment.program(WRONG)?.stop()
  await system.deployment.start(WRONG)
}

/** The source of reports of another guest. */
async function guestOf(name: string): Promise<{ readonly attestation: unknown }> {
  const { attestation } = JSON.parse(await readFile(system.deployment.configOf(name), 'utf8'))
  return { attestation }
}

async function put(name: string): Promise<{ readonly jobId: string; readonly headerDigest: string }> {
  const { file, headerDigest } = await system.seal(name)
  return { jobId: jobIdOf(await system.upload(file)), headerDigest }
}

async function readiness(): Promise<number> {
  const ready = system.linesOf(WRONG).findLast((line) => messageOf(line) === 'ready')
  return (await fetch(`${String(ready?.['monitor'])}/readyz`)).status
}
