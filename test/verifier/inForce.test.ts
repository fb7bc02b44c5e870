/**
 * What is in force when a key leaves: a real Verifier, whose log the storage stores so slowly that one signer
 * revokes in the meantime (review M2).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '#adapters/system/clock.ts'
import { errorRow } from '#core/errors.ts'
import { peekCompact } from '#core/jws.ts'
import { Floor } from '#core/policy/floor.ts'
import { freshnessName } from '#core/policy/freshness.ts'
import { RefusalFormat } from '#core/release/refusal.ts'
import type { ReleaseResponse } from '#core/release/request.ts'
import { addSeconds } from '#core/time.ts'
import { createEmulatorControl } from '#lab/demo/emulatorControl.ts'
import { deploy, writeTls } from './deployment.ts'
import { hidingStorage } from './hidingStorage.ts'
import { runVerifier, says } from './program.ts'
import { createWorker } from './worker.ts'

const STORING_MS = 5000

test('a revocation while the decision is stored: the Vault gives no key', async (t) => {
  const deployment = await deploy(t)
  const config = deployment.config()
  await writeTls(config, deployment.ca)
  await deployment.putVerifierKeys()
  await deployment.putPolicy(deployment.policy(1))
  const verifier = runVerifier(t, ['--config', await deployment.write(config)])
  const worker = createWorker(deployment, String((await verifier.line(says('ready')))['url']))
  t.after(() => worker.service.close())
  const control = createEmulatorControl(deployment.emulator.endpoint)
  const countOf = async (part: string) =>
    (await control.calls())
      .filter(({ call }) => call.includes(part))
      .reduce((sum, { count }) => sum + count, 0)
  const decryptions = () => countOf('decrypt')
  const listings = () => countOf('GET /n/hospital/b/governance/o')

  const [before, later] = [await deployment.seal(), await deployment.seal()]
  assert.equal((await worker.obtain([before.job]))[0]?.kind, 'granted')
  const asked = await decryptions()
  assert.equal(asked, 2)

  const match = { method: 'PUT', path: '/b/evidence-verifier/' }
  await control.arm({ service: 'objectstorage', match, latencyMs: STORING_MS, times: 1 })
  const answer = worker.ask([later.job])
  while ((await control.armed()).length > 0) await systemClock.sleep(20)
  // A whole round of three listings, and the begin of the next: they do not wait for the log.
  const listed = await listings()
  while ((await listings()) < listed + 4) await systemClock.sleep(20)
  await deployment.putRevocation({
    v: 1,
    seq: 1,
    issuedAt: systemClock.now(),
    referenceValues: [],
    objects: [later.header.sealId],
    boots: [],
    permissions: [],
  })
  const [first] = (await answer).answers
  assert.deepEqual([codeOf(first), errorRow('policy.changed').disposition], ['policy.changed', 'retry'])
  assert.equal(await decryptions(), asked)
  assert.ok(verifier.lines.some(says('release failed', { code: 'policy.changed' })))

  // Asked again, the new list decides, and says why.
  const [second] = (await worker.ask([later.job])).answers
  assert.equal(codeOf(second), 'object.withdrawn')
})

test('storage that hides a policy and a revocation: no key by a running or a fresh replica (H3)', async (t) => {
  const deployment = await deploy(t, { stating: false })
  const storage = await hidingStorage(t, deployment.emulator.endpoint)
  const honest = deployment.config().oci
  const oci = { ...honest, endpoints: { ...honest.endpoints, objectStorage: storage.url } }
  const start = async () => {
    const config = deployment.config({ oci })
    await writeTls(config, deployment.ca)
    const verifier = runVerifier(t, ['--config', await deployment.write(config)])
    const { url, monitor } = await verifier.line(says('ready'))
    const worker = createWorker(deployment, String(url))
    t.after(() => worker.service.close())
    return { verifier, worker, readyz: async () => (await fetch(`${String(monitor)}/readyz`)).status }
  }
  const now = systemClock.now()
  await deployment.putVerifierKeys()
  await deployment.putPolicy(deployment.policy(1, { issuedAt: addSeconds(now, -300) }))
  const sealed = await deployment.seal()

  const running = await start()
  assert.equal(await running.readyz(), 503)
  await assert.rejects(running.worker.ask([sealed.job]), { code: 'policy.stale' })
  await deployment.state(120)
  while ((await running.readyz()) !== 200) await systemClock.sleep(50)
  assert.equal((await running.worker.obtain([sealed.job]))[0]?.kind, 'granted')

  // The policy without the dataset, and the list that withdraws the object.
  storage.hide(await deployment.putPolicy(deployment.policy(2, { datasets: [] })))
  storage.hide(await deployment.putRevocation({ seq: 1, objects: [sealed.header.sealId] }))
  await deployment.state()
  const fresh = await start()
  while ((await running.readyz()) !== 503) await systemClock.sleep(50)
  const control = createEmulatorControl(deployment.emulator.endpoint)
  const decryptions = async () =>
    (await control.calls())
      .filter(({ call }) => call.includes('decrypt'))
      .reduce((sum, { count }) => sum + count, 0)
  const before = await decryptions()
  for (const { worker } of [running, fresh])
    await assert.rejects(worker.ask([sealed.job]), { code: 'policy.stale' })
  assert.equal(await decryptions(), before)

  storage.showAll()
  for (const { verifier } of [running, fresh])
    await verifier.line(says('policy loaded', { policySeq: 2, revocationSeq: 1 }))
})

test('a replica that is shown an old bucket and an old statement: the worker has seen a newer one', async (t) => {
  const deployment = await deploy(t, { stating: false })
  const storage = await hidingStorage(t, deployment.emulator.endpoint)
  const floor = new Floor()
  const start = async (objectStorage: string) => {
    const { oci } = deployment.config()
    const config = deployment.config({ oci: { ...oci, endpoints: { ...oci.endpoints, objectStorage } } })
    await writeTls(config, deployment.ca)
    const verifier = runVerifier(t, ['--config', await deployment.write(config)])
    const { url, monitor } = await verifier.line(says('ready'))
    while ((await fetch(`${String(monitor)}/readyz`)).status !== 200) await systemClock.sleep(50)
    const worker = createWorker(deployment, String(url), undefined, floor)
    t.after(() => worker.service.close())
    return { verifier, worker }
  }
  const now = systemClock.now()
  await deployment.putVerifierKeys()
  await deployment.putPolicy(deployment.policy(1, { issuedAt: addSeconds(now, -300) }))
  await deployment.state(120)
  const [sealed, later] = [await deployment.seal(), await deployment.seal()]

  // The old statement is in force for 13 minutes more: the replica cannot know, and the worker could not, yet.
  const old = await start(storage.url)
  for (const minute of [0, 60]) storage.hide(freshnessName(addSeconds(now, minute)))
  assert.equal((await old.worker.obtain([sealed.job]))[0]?.kind, 'granted')

  storage.hide(await deployment.putRevocation({ seq: 1, objects: [later.header.sealId] }))
  await deployment.state()
  const honest = await start(deployment.emulator.endpoint)
  await honest.verifier.line(says('policy loaded', { revocationSeq: 1 }))
  assert.equal((await honest.worker.obtain([sealed.job]))[0]?.kind, 'granted')
  await assert.rejects(old.worker.obtain([later.job]), { name: 'CodedError', code: 'grant.stale' })
})

function codeOf(answer: ReleaseResponse['answers'][number] | undefined): string {
  assert.ok(answer !== undefined && 'refusal' in answer)
  return peekCompact(RefusalFormat, answer.refusal, 'verifier.untrusted').payload.code
}
