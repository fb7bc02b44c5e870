/**
 * A Verifier whose clock is wrong. The test moves the emulator's clock instead, with its dates and its
 * checks.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Deployment, deploy, writeTls } from './deployment.ts'
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

const waits = (code: string, error: RegExp) => (line: Readonly<Record<string, unknown>>) =>
  line['msg'] === 'waiting' && line['code'] === code && error.test(String(line['error']))
