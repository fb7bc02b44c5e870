/** The front door behind a gateway that ends TLS: no certificate, no header believed, one body per nonce. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Agent } from 'node:https'
import { test } from 'node:test'
import type { ConnectionOptions } from 'node:tls'
import { systemClock } from '#adapters/system/clock.ts'
import { toBase64url } from '#core/bytes.ts'
import { checkNonce, mintNonce, NONCE_LIFETIME_SECONDS } from '#core/release/nonce.ts'
import { MAX_REQUEST_BYTES } from '#core/release/request.ts'
import { addSeconds } from '#core/time.ts'
import { FRONT_DOORS } from '../../src/verifier/frontDoor.ts'
import { createNonceAdmission } from '../../src/verifier/nonceAdmission.ts'
import type { ServerTls } from '../../src/verifier/serverTls.ts'
import { deploy, PROVIDER, verifierLogs, writeTls } from './deployment.ts'
import { runVerifier, says } from './program.ts'
import { steerableClock } from './steerableClock.ts'
import { ca, challenge, clientOf, response, send, serve } from './testServer.ts'
import { createWorker } from './worker.ts'

const atGateway: ServerTls = { clientCertificates: 'at-gateway', ...ca.issue('verifier') }
/** Without a certificate. */
const anyone = { ca: ca.pem }
const { requests, bodies } = FRONT_DOORS['at-gateway'].limits
const nonceKey = { epoch: 1, key: randomBytes(32) }
const mint = (age = 0, audience = challenge.aud) =>
  toBase64url(mintNonce(nonceKey, audience, addSeconds(systemClock.now(), -age), randomBytes(16)))
const check = (nonce: Uint8Array) => {
  checkNonce(nonce, [nonceKey], challenge.aud, systemClock.now())
}
/** What gateways say of their clients, and whoever reaches the port can say too. */
const FORGED = {
  'x-forwarded-for': '203.0.113.9',
  'x-real-ip': '203.0.113.9',
  forwarded: 'for=203.0.113.9;proto=https',
  'x-forwarded-proto': 'http',
  'x-ssl-client-verify': 'SUCCESS',
  'x-ssl-client-cert': encodeURIComponent(clientOf('worker').cert),
  'ssl-client-cert': clientOf('worker').cert.replaceAll('\n', ''),
  'x-forwarded-client-cert': 'Hash=00;Subject="CN=worker"',
}

const codeOf = ({ text }: { readonly text: string }) => JSON.parse(text).code

test('TLS 1.2 is taken only at a gateway, and only with forward secrecy', async (t) => {
  const own = await serve(t)
  const behind = await serve(t, { tls: atGateway })
  const path = '/v1/challenges'
  const ask = async ({ server }: typeof own, tls: ConnectionOptions, client: typeof anyone = anyone) =>
    await send(server.url, { client, body: '', path, headers: {}, tls: { agent: false, ...tls } }).status
  const tls12 = { maxVersion: 'TLSv1.2' } as const
  const refused = async (of: typeof own, reason: string, asking: Promise<number>) => {
    const before = of.tlsRefused.length
    await assert.rejects(asking)
    await of.until(() => of.tlsRefused.length > before)
    assert.equal(of.tlsRefused.at(-1), `${reason} 127.0.0.1`)
  }
  assert.equal(await ask(behind, tls12), 200)
  assert.equal(await ask(behind, { minVersion: 'TLSv1.3' }), 200)
  const cbc = { ...tls12, ciphers: 'ECDHE-ECDSA-AES256-SHA384' }
  await refused(behind, 'no-common-parameters', ask(behind, cbc))
  const tls11 = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const
  await refused(behind, 'old-protocol', ask(behind, tls11))
  await refused(own, 'old-protocol', ask(own, tls12, clientOf('worker')))
  await refused(own, 'no-certificate', ask(own, {}))
})

test('a valid nonce admits one body', async (t) => {
  const admitted: (string | undefined)[] = []
  const release = async (_body: Uint8Array, nonce: Uint8Array | undefined) => {
    admitted.push(nonce && toBase64url(nonce))
    return response
  }
  const { server, refused } = await serve(t, { tls: atGateway, checkNonce: check, release })
  const ask = (nonce: string | undefined) => {
    const headers = { 'content-length': 2, ...(nonce !== undefined && { nonce }) }
    return send(server.url, { client: anyone, body: '{}', headers }).answer
  }
  const nonce = mint()
  assert.equal((await ask(nonce)).status, 200)
  for (const [shown, status, code] of [
    [nonce, 409, 'nonce.spent'],
    [undefined, 403, 'nonce.invalid'],
    ['', 403, 'nonce.invalid'],
    ['no base64url', 403, 'nonce.invalid'],
    [toBase64url(randomBytes(61)), 403, 'nonce.invalid'],
    [mint(0, 'https://verifier.clinic.example'), 403, 'nonce.invalid'],
    [mint(NONCE_LIFETIME_SECONDS), 403, 'nonce.expired'],
  ] as const) {
    const answer = await ask(shown)
    assert.deepEqual([answer.status, codeOf(answer)], [status, code], `${shown}`)
  }
  assert.equal(refused.length, 7)
  const other = mint()
  assert.equal((await ask(other)).status, 200)
  assert.deepEqual(admitted, [nonce, other])
})

test('where certificates are required the nonce of a header is not looked at', async (t) => {
  const admitted: unknown[] = []
  const { server } = await serve(t, {
    checkNonce: () => assert.fail('looked at'),
    release: async (_body, nonce) => {
      admitted.push(nonce)
      return response
    },
  })
  const headers = { 'content-length': 2, nonce: 'x' }
  assert.equal(await send(server.url, { client: clientOf('worker'), body: '{}', headers }).status, 200)
  assert.deepEqual(admitted, [undefined])
})

test('a body without a nonce is refused before its first byte', async (t) => {
  const { server } = await serve(t, { tls: atGateway, checkNonce: check })
  for (const headers of [{ 'content-length': MAX_REQUEST_BYTES }, { 'transfer-encoding': 'chunked' }])
    for (const path of ['/v1/releases', '/v1/other']) {
      // Nothing of the body is ever sent.
      const { sent, answer } = send(server.url, { client: anyone, headers, path })
      assert.deepEqual([(await answer).status, codeOf(await answer)], [403, 'nonce.invalid'])
      sent.destroy()
    }
})

test('what has no long body needs no nonce', async (t) => {
  const { server } = await serve(t, { tls: atGateway, checkNonce: check })
  const ask = { client: anyone, body: '', headers: {} }
  assert.equal(await send(server.url, { ...ask, path: '/v1/challenges' }).status, 200)
  assert.equal(await send(server.url, { ...ask, path: '/openapi.json', method: 'GET' }).status, 200)
})

test('a flood of requests without nonces takes nothing from those that have one', async (t) => {
  // Time stands still: what is spent does not come back.
  const clock = { ...steerableClock(), now: systemClock.now }
  const { server, refused } = await serve(t, { tls: atGateway, checkNonce: check, clock })
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  t.after(() => agent.destroy())
  const ask = (nonce?: string) =>
    send(server.url, {
      client: anyone,
      body: '{}',
      headers: { 'content-length': 2, ...(nonce !== undefined && { nonce }) },
      tls: { agent },
    }).status
  const flood = await Promise.all(Array.from({ length: requests.burst + 1 }, () => ask()))
  assert.deepEqual(new Set(flood), new Set([403]))
  assert.equal(refused.length, requests.burst + 1)
  assert.equal(await ask(mint()), 200)
})

test('forged headers make no other client: one limit for all, one address', async (t) => {
  const clock = { ...steerableClock(), now: systemClock.now }
  const { server, refused } = await serve(t, { tls: atGateway, clock })
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  t.after(() => agent.destroy())
  const ask = (index: number) => {
    const headers = {
      ...FORGED,
      'x-forwarded-for': `203.0.${index >> 8}.${index % 256}`,
      'content-length': 0,
    }
    return send(server.url, { client: anyone, body: '', path: '/v1/challenges', headers, tls: { agent } })
  }
  const all = await Promise.all(Array.from({ length: requests.burst }, (_, index) => ask(index).status))
  assert.deepEqual(new Set(all), new Set([200]))
  const before = clock.monotonic()
  const answer = await ask(5000).answer
  assert.deepEqual([answer.status, codeOf(answer), answer.headers['retry-after']], [429, 'client.busy', '1'])
  assert.equal(clock.monotonic(), before, 'a late refusal would hold a connection that all clients share')
  assert.deepEqual(refused, ['client.busy 127.0.0.1'])
})

test('all bodies have one rate, and a request beyond it keeps its nonce', async (t) => {
  const clock = { ...steerableClock(), now: systemClock.now }
  const { server } = await serve(t, { tls: atGateway, checkNonce: check, clock })
  const ask = (nonce: string) => {
    const headers = { nonce, 'transfer-encoding': 'chunked' }
    return send(server.url, { client: anyone, body: '{}', headers }).status
  }
  // Without a length each counts as the longest.
  const longest = Math.floor(bodies.burst / MAX_REQUEST_BYTES)
  for (let count = 0; count < longest; count += 1) assert.equal(await ask(mint()), 200)
  const nonce = mint()
  assert.equal(await ask(nonce), 429)
  await clock.sleep(1000)
  assert.equal(await ask(nonce), 200)
  assert.equal(await ask(nonce), 409)
})

test('a nonce is remembered until it has expired on every clock', () => {
  let now = 0
  const nonces = createNonceAdmission(() => {}, { monotonic: () => now })
  const [first, second] = [mint(), mint()]
  nonces.take(nonces.read(first))
  now = (NONCE_LIFETIME_SECONDS + 59) * 1000
  nonces.take(nonces.read(second))
  assert.throws(() => nonces.read(first), { code: 'nonce.spent' })
  now += 1000
  nonces.take(nonces.read(mint()))
  assert.doesNotThrow(() => nonces.read(first))
  assert.throws(() => nonces.read(second), { code: 'nonce.spent' })
})

test('a Verifier behind a gateway says so, and releases by the nonce of the report', async (t) => {
  const deployment = await deploy(t)
  const { tls, ...config } = deployment.config()
  const { cert, key } = tls
  const changed = deployment.config({ ...config, tls: { clientCertificates: 'at-gateway', cert, key } })
  await writeTls(changed, deployment.ca)
  await deployment.putVerifierKeys()
  await deployment.putPolicy(deployment.policy(1))
  const verifier = runVerifier(t, ['--config', await deployment.write(changed)])
  const { level } = await verifier.line((line) => String(line['msg']).startsWith('at-gateway:'))
  assert.equal(level, 40)
  const ready = await verifier.line(says('ready'))
  const url = String(ready['url'])
  await verifier.line(says('policy loaded'))
  const metrics = await fetch(`${String(ready['monitor'])}/metrics`)
  assert.match(await metrics.text(), /^cw_verifier_client_certificates\{mode="at-gateway"\} 1$/m)

  const worker = createWorker(deployment, url)
  t.after(() => worker.service.close())
  const { job } = await deployment.seal()
  const { request, nonce } = await worker.prepare([job])
  const { nonce: other } = await worker.service.challenge()
  await assert.rejects(worker.service.release(request, other), { code: 'nonce.invalid' })
  const answer = await worker.service.release(request, nonce)
  assert.ok('answers' in answer && answer.answers[0] !== undefined && 'grant' in answer.answers[0])
  await assert.rejects(worker.service.release(request, nonce), { code: 'nonce.spent' })

  const body = JSON.stringify(request)
  const headers = { ...FORGED, nonce: toBase64url(randomBytes(61)), 'content-length': body.length }
  const stranger = send(url, {
    client: { ca: deployment.ca.pem },
    body,
    headers,
    tls: { maxVersion: 'TLSv1.2' },
  })
  assert.equal(codeOf(await stranger.answer), 'nonce.invalid')
  verifier.kill('SIGTERM')
  assert.equal(await verifier.exit, 0)
  const store = (await deployment.user(PROVIDER, 'auditor')).objectStore()
  let evidence = ''
  for await (const { name } of store.list(verifierLogs, ''))
    evidence += (await store.readAll({ ...verifierLogs, name }, 4 * 1024 * 1024)).toString('latin1')
  assert.match(evidence, /nonce\.invalid/)
  const told = JSON.stringify(verifier.lines) + evidence
  assert.doesNotMatch(told, /203\.0\.113/)
})
