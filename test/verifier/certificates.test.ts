/** Certificates that end while the programs run, and new files for them: no restart, and each log says why. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { TLSSocket } from 'node:tls'
import { createReleaseService } from '#adapters/http/releaseService.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { temporaryFolder } from '../lab/emulator/testEmulator.ts'
import { deploy, writeTls } from './deployment.ts'
import { type Program, runVerifier, says } from './program.ts'
import { createCa, type Identity } from './tls.ts'

const ca = createCa('provider CA')
const LIFE_SECONDS = 2

async function monitorOf(verifier: Program, path: string): Promise<string> {
  const { monitor } = await verifier.line(says('starting'))
  return await (await fetch(`${String(monitor)}${path}`)).text()
}

/** Resolves when new files came into use for the n-th time. */
async function used(verifier: Program, times: number): Promise<void> {
  const inUse = says('TLS files in use')
  await verifier.line((line) => inUse(line) && verifier.lines.filter(inUse).length >= times)
}

/** A worker's connection; a new one has no socket yet. */
function connect(t: TestContext, url: string, tls: () => Identity = () => ca.issue('worker')) {
  const service = createReleaseService({
    url,
    tls: () => ({ ca: ca.pem, crl: [ca.crl], ...tls() }),
    timeoutMs: 5000,
  })
  t.after(() => service.close())
  return service
}

test('a server certificate ends and is replaced, half first, without a restart', async (t) => {
  const deployment = await deploy(t)
  const config = deployment.config()
  await writeTls(config, ca)
  const verifier = runVerifier(t, ['--config', await deployment.write(config)])
  const { url } = await verifier.line(says('ready'))
  assert.ok(await connect(t, String(url)).challenge())

  const short = ca.issue('verifier', LIFE_SECONDS)
  const end = systemClock.now() + LIFE_SECONDS
  await writeFile(config.tls.cert, short.cert)
  await writeFile(config.tls.key, short.key)
  verifier.kill('SIGHUP')
  await used(verifier, 1)
  while (systemClock.now() <= end) await systemClock.sleep(200)
  await assert.rejects(connect(t, String(url)).challenge(), {
    code: 'verifier.unavailable',
    message: /the Verifier cannot be reached: its certificate or the CA that issued it has expired$/,
  })
  verifier.kill('SIGHUP')
  await verifier.line(says('certificate has expired', { file: 'tls.cert' }))
  assert.match(await monitorOf(verifier, '/metrics'), /^cw_certificate_days_left\{file="tls\.cert"\} -/m)

  const next = ca.issue('verifier')
  await writeFile(config.tls.cert, next.cert)
  verifier.kill('SIGHUP')
  await verifier.line(says('TLS files refused, the last ones stay'))
  await assert.rejects(connect(t, String(url)).challenge(), { message: /has expired$/ })

  await writeFile(config.tls.key, next.key)
  verifier.kill('SIGHUP')
  await used(verifier, 2)
  assert.ok(await connect(t, String(url)).challenge())
  assert.match(
    await monitorOf(verifier, '/metrics'),
    /^cw_certificate_days_left\{file="tls\.cert"\} (29\.9|30$)/m,
  )
  verifier.kill('SIGTERM')
  assert.equal(await verifier.exit, 0)
})

test("a worker's new certificate is shown at its next request; an expired one is named", async (t) => {
  const shown: string[] = []
  const server = createServer(
    { ...ca.issue('verifier'), ca: ca.pem, requestCert: true },
    (request, answer) => {
      if (request.socket instanceof TLSSocket) shown.push(request.socket.getPeerCertificate().serialNumber)
      answer.writeHead(503).end()
    },
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  t.after(() => server.closeAllConnections())
  // A TCP listener's address is never a string.
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`

  let identity = ca.issue('first')
  const service = connect(t, url, () => identity)
  for (const next of [identity, identity, ca.issue('second')]) {
    identity = next
    await assert.rejects(service.challenge(), { code: 'verifier.unavailable' })
  }
  assert.equal(shown[0], shown[1])
  assert.notEqual(shown[1], shown[2])

  identity = ca.issue('third', -60)
  await assert.rejects(service.challenge(), {
    code: 'verifier.unavailable',
    message: /cannot be reached.*; this worker's own certificate has expired$/,
  })
})

test('files that do not fit together are a wrong configuration at the start', async (t) => {
  const deployment = await deploy(t)
  const config = deployment.config()
  await writeTls(config, ca)
  const other = join(await temporaryFolder(t), 'key')
  await writeFile(other, ca.issue('other').key)
  const tls = { ...config.tls, key: other }
  const verifier = runVerifier(t, ['--check-config', '--config', await deployment.write({ ...config, tls })])
  assert.equal(await verifier.exit, 78)
  assert.equal(verifier.lines.at(-1)?.['code'], 'config.invalid')
})
