/**
 * A Verifier whose clock is wrong. The test moves the emulator's clock instead, with its dates and its
 * checks.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { createEvidenceLog } from '#adapters/evidence/log.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { bootOf } from '#core/boot/boot.ts'
import { Ed25519Jwk, exportJwk } from '#core/jwk.ts'
import { addSeconds, toRfc3339 } from '#core/time.ts'
import { PROVIDER_NAMESPACE } from '../lab/emulator/testEmulator.ts'
import { type Deployment, deploy, verifierLogs, writeTls } from './deployment.ts'
import { type Program, runVerifier, says } from './program.ts'
import { createWorker } from './worker.ts'

async function moveClock({ emulator }: Deployment, offsetSeconds: number) {
  const body = JSON.stringify({ offsetSeconds })
  const { status } = await fetch(`${emulator.endpoint}/emulator/clock`, { method: 'POST', body })
  assert.equal(status, 200)
}

async function start(t: TestContext, deployment: Deployment) {
  const config = deployment.config()
  await writeTls(config, deployment.ca)
  return runVerifier(t, ['--config', await deployment.write(config)])
}

async function monitorOf(verifier: Program, path: string) {
  const { monitor } = await verifier.line(says('starting'))
  const answer = await fetch(`${String(monitor)}${path}`)
  return { status: answer.status, text: await answer.text() }
}

const near = (text: string, seconds: number) =>
  [-1, 0, 1].some((off) => text.includes(`cw_clock_skew_seconds{source="oci"} ${seconds + off}\n`))

test('more than a minute off OCI it refuses, says why, and goes on when its clock is right', async (t) => {
  const deployment = await deploy(t)
  await deployment.putVerifierKeys()
  await deployment.putPolicy(deployment.policy(1))
  const verifier = await start(t, deployment)
  const { url } = await verifier.line(says('ready'))
  const worker = createWorker(deployment, String(url))
  t.after(() => worker.service.close())
  const sealed = await deployment.seal()
  const prepared = await worker.prepare([sealed.job])
  assert.equal((await monitorOf(verifier, '/readyz')).status, 200)

  await moveClock(deployment, -90)
  const { skewSeconds } = await verifier.line(says('clock differs', { source: 'oci' }))
  assert.ok(Math.abs(Number(skewSeconds) - 90) <= 1)
  assert.equal((await monitorOf(verifier, '/readyz')).status, 503)
  assert.equal((await monitorOf(verifier, '/healthz')).status, 200)
  assert.ok(near((await monitorOf(verifier, '/metrics')).text, 90))
  await assert.rejects(worker.service.challenge(), { code: 'clock.skewed' })
  await assert.rejects(worker.service.release(prepared.request, prepared.nonce), { code: 'clock.skewed' })

  await moveClock(deployment, 0)
  await verifier.line(says('clock agrees again'))
  assert.equal((await monitorOf(verifier, '/readyz')).status, 200)
  assert.ok(await worker.service.challenge())
  verifier.kill('SIGTERM')
  assert.equal(await verifier.exit, 0)
})

test('a Verifier that starts with a wrong clock waits, names the clock, and starts when it is right', async (t) => {
  const deployment = await deploy(t)
  await moveClock(deployment, 90)
  const verifier = await start(t, deployment)
  await verifier.line(
    waits('clock.skewed', /^this clock is \d+ seconds behind OCI's, at most 60 are allowed$/),
  )
  await moveClock(deployment, 0)
  await verifier.line(says('ready'))
  verifier.kill('SIGTERM')
  assert.equal(await verifier.exit, 0)
})

test('a clock so wrong that OCI gives no session token is named, too', async (t) => {
  const deployment = await deploy(t)
  await moveClock(deployment, 600)
  const verifier = await start(t, deployment)
  await verifier.line(
    waits('service.unavailable', /no session token; this clock is \d+ seconds behind OCI's$/),
  )
  verifier.kill('SIGTERM')
  assert.equal(await verifier.exit, 0)
})

test('behind a freshness statement it refuses, and goes on when its clock has come so far', async (t) => {
  const deployment = await deploy(t, { stating: false })
  await deployment.putVerifierKeys()
  await deployment.putPolicy(deployment.policy(1, { issuedAt: systemClock.now() - 300 }))
  await deployment.state(120)
  const verifier = await start(t, deployment)
  const { url } = await verifier.line(says('ready'))
  const worker = createWorker(deployment, String(url))
  t.after(() => worker.service.close())
  const { job } = await deployment.seal()
  assert.equal((await worker.obtain([job]))[0]?.kind, 'granted')
  await deployment.state(-80)
  while ((await monitorOf(verifier, '/readyz')).status !== 503) await systemClock.sleep(50)
  await assert.rejects(worker.obtain([job]), { code: 'clock.skewed' })
  while ((await monitorOf(verifier, '/readyz')).status !== 200) await systemClock.sleep(50)
  assert.equal((await worker.obtain([job]))[0]?.kind, 'granted')
})

test("a Verifier that starts behind its own side's logs waits, and starts when its clock has come so far", async (t) => {
  const deployment = await deploy(t)
  const store = deployment.instance('verifier').objectStore()
  const own = generateKeyPairSync('ed25519').privateKey
  const boot = bootOf(Ed25519Jwk.parse(exportJwk(own)))
  const ahead = addSeconds(systemClock.now(), 80)
  const log = createEvidenceLog({
    store,
    bucket: verifierLogs,
    role: 'verifier',
    key: own,
    boot,
    software: 'test/1',
    simulation: true,
    now: () => ahead,
  })
  await log.flush()
  const announced = { namespace: PROVIDER_NAMESPACE, bucket: 'verifier-state' }
  const date = (seconds: number) => toRfc3339(addSeconds(systemClock.now(), seconds)).slice(0, 10)
  await store.create({ ...announced, name: `boots/${date(-86_400)}/${'a'.repeat(26)}/10` }, new Uint8Array())
  await store.create({ ...announced, name: `boots/${date(0)}/${'b'.repeat(26)}/10` }, new Uint8Array())
  await store.create({ ...announced, name: `boots/${date(0)}/${boot}/10` }, new Uint8Array())

  const verifier = await start(t, deployment)
  const found = new RegExp(`^this clock is \\d+ seconds behind the log of Verifier ${boot}, at most 60 `)
  await verifier.line(waits('clock.skewed', found))
  // A log that is not there stops no start, and one of a day before is not looked at.
  await verifier.line(says('the log of another Verifier cannot be read', { boot: 'b'.repeat(26) }))
  await verifier.line(says('ready'))
  assert.ok(
    !verifier.lines.some(says('the log of another Verifier cannot be read', { boot: 'a'.repeat(26) })),
  )
  verifier.kill('SIGTERM')
  assert.equal(await verifier.exit, 0)
})

const waits = (code: string, error: RegExp) => (line: Readonly<Record<string, unknown>>) =>
  line['msg'] === 'waiting' && line['code'] === code && error.test(String(line['error']))
