/** SIGTERM while a worker still starts and waits for a service. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { systemClock } from '#adapters/system/clock.ts'
import { toBase64url } from '#core/bytes.ts'
import { mintNonce } from '#core/release/nonce.ts'
import type { WorkerConfig } from '../../src/worker/config.ts'
import { CONSUMER_NAMESPACE, id, PROVIDER_NAMESPACE, temporaryFolder } from '../lab/emulator/testEmulator.ts'
import { silentService } from '../silentService.ts'
import { ANCHORS, AUDIENCE, type Deployment, deploy } from '../verifier/deployment.ts'
import { runProgram, says } from '../verifier/program.ts'
import type { Identity } from '../verifier/tls.ts'

const DRAIN_SECONDS = 3

async function configOf(t: TestContext, deployment: Deployment, url: string): Promise<WorkerConfig> {
  const { emulator, ca } = deployment
  const folder = await temporaryFolder(t)
  const { cert, key } = ca.issue('worker')
  for (const [name, text] of Object.entries({ ca: ca.pem, crl: ca.crl, cert, key }))
    await writeFile(join(folder, name), text)
  const { workloads: _, ...trust } = ANCHORS
  const { endpoints } = deployment.config().oci
  const metadataUrl = emulator.imds[id('instance', 'worker-1')]
  return {
    trust: { ...trust, providerRoot: { keys: [...trust.providerRoot.keys], threshold: 2 } },
    verifier: {
      urls: [url],
      ca: join(folder, 'ca'),
      crl: join(folder, 'crl'),
      cert: join(folder, 'cert'),
      key: join(folder, 'key'),
    },
    attestation: { source: 'socket', path: join(folder, 'absent') },
    client: { keyId: id('key', 'client') },
    oci: { principal: { kind: 'instance', metadataUrl, federationUrl: emulator.endpoint }, endpoints },
    stream: {
      id: id('stream', 'jobs'),
      group: 'workers',
      deadLetterId: id('stream', 'jobs'),
      reservationMs: 2000,
    },
    registrations: { namespace: PROVIDER_NAMESPACE, bucket: 'evidence-verifier' },
    namespace: CONSUMER_NAMESPACE,
    evidence: { namespace: 'hospital', bucket: 'evidence-worker' },
    buckets: { results: 'results', state: 'worker-state' },
    batch: { maxJobs: 1, concurrency: 1, memoryMib: 512 },
    monitor: { host: '127.0.0.1', port: 0 },
    drainSeconds: DRAIN_SECONDS,
  }
}

/** Answers every request with a challenge. */
async function challengingVerifier(t: TestContext, identity: Identity): Promise<string> {
  const server = createServer({ ...identity }, (_, response) => {
    const iat = systemClock.now()
    const nonce = mintNonce({ epoch: 1, key: randomBytes(32) }, AUDIENCE, iat, randomBytes(16))
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ nonce: toBase64url(nonce), exp: iat + 300, aud: AUDIENCE }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  t.after(() => server.closeAllConnections())
  // A TCP listener's address is never a string.
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
}

for (const [mode, parameters, exit] of [
  ['that takes jobs', [], 0],
  ['with one job, which has no result,', ['--job', '/nonexistent'], 75],
] as const)
  test(`SIGTERM ends a worker ${mode} while the Verifier is silent: ${exit}`, async (t) => {
    const deployment = await deploy(t)
    const silent = await silentService(t)
    const config = await configOf(t, deployment, `https://${silent.address}`)
    const worker = runProgram(t, 'worker', ['--config', await deployment.write(config), ...parameters])
    await silent.called
    worker.kill('SIGTERM')
    assert.equal(await worker.exit, exit)
    assert.equal(worker.lines.at(-1)?.['msg'], 'stopping')
  })

test('SIGTERM ends a worker that waits for the Vault, in order', async (t) => {
  const deployment = await deploy(t)
  const silent = await silentService(t)
  const config = await configOf(t, deployment, await challengingVerifier(t, deployment.ca.issue('verifier')))
  const endpoints = { ...config.oci.endpoints, vaultManagement: `http://${silent.address}` }
  const oci = { ...config.oci, endpoints }
  const worker = runProgram(t, 'worker', ['--config', await deployment.write({ ...config, oci })])
  await silent.called
  worker.kill('SIGTERM')
  assert.equal(await worker.exit, 0)
})

test('an expired client certificate is named, and replaced without a restart', async (t) => {
  const deployment = await deploy(t)
  const silent = await silentService(t)
  const config = await configOf(t, deployment, `https://${silent.address}`)
  const replace = async ({ cert, key }: Identity) => {
    await writeFile(config.verifier.cert, cert)
    await writeFile(config.verifier.key, key)
  }
  await replace(deployment.ca.issue('worker', -60))
  const worker = runProgram(t, 'worker', ['--config', await deployment.write(config)])
  await worker.line(says('certificate has expired', { file: 'verifier.cert' }))
  await replace(deployment.ca.issue('worker'))
  worker.kill('SIGHUP')
  await worker.line(says('TLS files in use'))
  worker.kill('SIGTERM')
  assert.equal(await worker.exit, 0)
})
