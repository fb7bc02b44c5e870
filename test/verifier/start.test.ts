/** The start of a Verifier: it waits for OCI, can be watched meanwhile, and ends in order on SIGTERM. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { VerifierConfig } from '../../src/verifier/config.ts'
import { emulatorFor, temporaryFolder, testConfig } from '../lab/emulator/testEmulator.ts'
import { silentService } from '../silentService.ts'
import { type Deployment, deploy, PROVIDER, verifierLogs, writeTls } from './deployment.ts'
import { type Program, runVerifier, says } from './program.ts'

async function start(t: TestContext, deployment: Deployment, changes: Partial<VerifierConfig> = {}) {
  const config = deployment.config(changes)
  await writeTls(config, deployment.ca)
  return runVerifier(t, ['--config', await deployment.write(config)])
}

async function publish(deployment: Deployment) {
  await deployment.putVerifierKeys()
  await deployment.putPolicy(deployment.policy(1))
}

async function monitorOf(verifier: Program, path: string) {
  const { monitor } = await verifier.line(says('starting'))
  const answer = await fetch(`${String(monitor)}${path}`)
  return { status: answer.status, text: await answer.text() }
}

async function endsInOrder(verifier: Program) {
  verifier.kill('SIGTERM')
  assert.equal(await verifier.exit, 0)
}

async function arm(deployment: Deployment, fault: object) {
  const url = `${deployment.emulator.endpoint}/emulator/faults`
  const { status } = await fetch(url, { method: 'POST', body: JSON.stringify(fault) })
  assert.equal(status, 200)
}

test('a Verifier that starts before OCI waits for it: alive, not ready, and it says for what', async (t) => {
  const folder = await temporaryFolder(t)
  const deployment = await deploy(t, { folder })
  await deployment.emulator.close()
  const verifier = await start(t, deployment)
  await verifier.line(says('waiting', { for: 'grantCaKeyId', code: 'service.unavailable' }))
  assert.equal((await monitorOf(verifier, '/healthz')).status, 200)
  assert.equal((await monitorOf(verifier, '/readyz')).status, 503)
  const waits = 'cw_verifier_waits{place="grantCaKeyId",code="service.unavailable"} 1'
  assert.ok((await monitorOf(verifier, '/metrics')).text.includes(waits))

  await emulatorFor(t, testConfig(), { folder })
  await verifier.line(says('ready'))
  assert.ok(!(await monitorOf(verifier, '/metrics')).text.includes('cw_verifier_waits{'))
  await endsInOrder(verifier)
})

const STORM = ['vault', 'secrets', 'objectstorage'] as const

test('a storm of 503 over every service delays the start, and does not end it', async (t) => {
  const deployment = await deploy(t)
  await publish(deployment)
  for (const service of STORM) await arm(deployment, { service, status: 503, times: 5 })
  const verifier = await start(t, deployment)
  await verifier.line(says('ready'))
  const { status } = await monitorOf(verifier, '/readyz')
  assert.equal(status, 200)
  await endsInOrder(verifier)
})

test('OCI is killed in the middle of the start: the Verifier goes on when it is back', async (t) => {
  const folder = await temporaryFolder(t)
  const deployment = await deploy(t, { folder })
  await publish(deployment)
  const match = { method: 'PUT', path: '/b/evidence-verifier/' }
  await arm(deployment, { service: 'objectstorage', match, reset: 'before', times: 1000 })
  const verifier = await start(t, deployment)
  await verifier.line(says('waiting', { for: 'buckets.evidence' }))
  await deployment.emulator.close()
  await emulatorFor(t, testConfig(), { folder })
  await verifier.line(says('ready'))
  assert.equal((await monitorOf(verifier, '/readyz')).status, 200)
  await endsInOrder(verifier)
})

const DENIED = [
  { place: 'grantCaKeyId', service: 'vault', match: { method: 'GET' }, status: 404 },
  { place: 'macSecretId', service: 'secrets', match: {}, status: 403 },
  { place: 'grantCaKeyId', service: 'vault', match: { method: 'POST' }, status: 403 },
  { place: 'buckets.freshness', service: 'objectstorage', match: { path: '/b/freshness/o' }, status: 404 },
  { place: 'buckets.governance', service: 'objectstorage', match: { path: '/b/governance/o' }, status: 404 },
  {
    place: 'buckets.evidence',
    service: 'objectstorage',
    match: { path: '/b/evidence-verifier/o/registration' },
    status: 403,
  },
] as const

test('a 403 or 404 on its own keys, secret and buckets delays the start, with the name of each', async (t) => {
  const deployment = await deploy(t)
  await publish(deployment)
  for (const { service, match, status } of DENIED)
    await arm(deployment, { service, match, status, code: 'NotAuthorizedOrNotFound', times: 1 })
  const verifier = await start(t, deployment)
  await verifier.line(says('ready'))
  assert.deepEqual(
    verifier.lines.filter(says('waiting')).map((line) => `${line['for']} ${line['code']}`),
    DENIED.map(({ place, status }) => `${place} service.${status === 404 ? 'missing' : 'denied'}`),
  )
  await endsInOrder(verifier)
})

for (const service of ['vaultManagement', 'secrets', 'objectStorage'] as const)
  test(`SIGTERM ends a Verifier that waits for ${service}, in order`, async (t) => {
    const deployment = await deploy(t)
    const silent = await silentService(t)
    const { oci } = deployment.config()
    const endpoints = { ...oci.endpoints, [service]: `http://${silent.address}` }
    const verifier = await start(t, deployment, { oci: { ...oci, endpoints }, drainSeconds: 3 })
    await silent.called
    verifier.kill('SIGTERM')
    assert.equal(await verifier.exit, 0)
    assert.deepEqual(verifier.lines.map(({ msg }) => msg).slice(1), ['starting', 'stopping', 'stopped'])
  })

test('SIGTERM ends a Verifier in the pause between two tries, in order', async (t) => {
  const deployment = await deploy(t)
  await arm(deployment, { service: 'secrets', status: 403, times: 1000 })
  const verifier = await start(t, deployment)
  await verifier.line(says('waiting', { for: 'macSecretId', code: 'service.denied', waitMs: 1000 }))
  await endsInOrder(verifier)
})

test('a Verifier that ends before the first policy is read leaves no registered log', async (t) => {
  const deployment = await deploy(t)
  const match = { method: 'GET', path: '/b/governance/' }
  await arm(deployment, { service: 'objectstorage', match, status: 403, times: 1000 })
  const verifier = await start(t, deployment)
  await verifier.line(says('waiting', { for: 'buckets.governance' }))
  await endsInOrder(verifier)
  const auditor = (await deployment.user(PROVIDER, 'auditor')).objectStore()
  assert.deepEqual(await Array.fromAsync(auditor.list(verifierLogs, ''), ({ name }) => name), [])
})
