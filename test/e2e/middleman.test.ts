/**
 * A device that ends TLS between worker and Verifier, with genuine certificates and without the grant key. What
 * it makes of the answers may delay a job: it sets no object aside and parks no worker.
 */
import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { systemClock } from '#adapters/system/clock.ts'
import { toBase64url } from '#core/bytes.ts'
import type { ErrorCode } from '#core/errors.ts'
import { JobFormat, jobIdOf } from '#core/job/job.ts'
import { keySigner, signCompact } from '#core/jws.ts'
import { type Freshness, FreshnessFormat } from '#core/policy/freshness.ts'
import { problemOf, signRefusal } from '#core/release/refusal.ts'
import { verifierEntries, workerEntries } from '#lab/demo/counts.ts'
import { messageOf } from '#lab/demo/logLine.ts'
import { STREAMS } from '#lab/demo/names.ts'
import { type Change, type Middleman, startMiddleman } from './middleman.ts'
import { deadLetters, messagesOn } from './streamMessages.ts'
import { audit, resultsOf, type SystemUnderTest, startSystem, until, waitForLine } from './systemUnderTest.ts'

const WORKER = 'worker-1'
const DENIAL_ID = 'ab'.repeat(16)
const ownKey = keySigner(generateKeyPairSync('ed25519').privateKey)

let system: SystemUnderTest
let middleman: Middleman
/** What the provider's freshness host stated an hour ago. */
let ended: string
before(async () => {
  system = await startSystem({ workers: 1, reservationMs: 5000 })
  const { deployment } = system
  const [config, { tls }] = await Promise.all(
    [WORKER, 'verifier'].map(async (name) => JSON.parse(await readFile(deployment.configOf(name), 'utf8'))),
  )
  ended = await statedAnHourAgo(deployment.configOf('freshness'))
  const { urls, ca, cert, key } = config.verifier
  middleman = await startMiddleman(
    urls[0],
    { ca: tls.clientCa, cert: tls.cert, key: tls.key },
    { ca, cert, key },
  )
  await writeFile(
    deployment.configOf(WORKER),
    JSON.stringify({ ...config, verifier: { ...config.verifier, urls: [middleman.url] } }),
  )
  await deployment.program(WORKER)?.stop()
  await deployment.start(WORKER)
})
after(async () => {
  middleman?.close()
  await system?.close()
})

async function statedAnHourAgo(configFile: string): Promise<string> {
  const { tenant, trust, freshnessKey } = JSON.parse(await readFile(configFile, 'utf8'))
  const signer = keySigner(createPrivateKey(await readFile(freshnessKey.path)))
  const [iat, number] = [systemClock.now() - 3600, { seq: 1, digest: toBase64url(Buffer.alloc(32, 1)) }]
  const statement: Freshness = {
    v: 1,
    tenant,
    audience: trust.audience,
    policy: number,
    verifierKeys: number,
    revocation: number,
    consent: {},
    iat,
    exp: iat + 900,
  }
  return await signCompact(FreshnessFormat, statement, signer)
}

const problem =
  (code: ErrorCode, more: object = {}): Change =>
  () => ({ status: 403, body: JSON.stringify({ ...problemOf(code, DENIAL_ID), ...more }) })
const forged = await signRefusal(
  { code: 'object.withdrawn', denialId: DENIAL_ID },
  { nonce: Buffer.alloc(61, 1), job: 0 },
  ownKey,
)

for (const { name, change, code } of [
  {
    name: 'refuses the object without a signature',
    change: ({ status, body }) => {
      const { answers } = JSON.parse(body)
      const refusals = answers.map(() => ({ refusal: problemOf('object.withdrawn', DENIAL_ID) }))
      return { status, body: JSON.stringify({ ...JSON.parse(body), answers: refusals }) }
    },
    code: 'verifier.untrusted',
  },
  {
    name: 'refuses the object with a signature of its own',
    change: ({ status, body }) => {
      const { answers } = JSON.parse(body)
      const refusals = answers.map(() => ({ refusal: forged }))
      return { status, body: JSON.stringify({ ...JSON.parse(body), answers: refusals }) }
    },
    code: 'verifier.untrusted',
  },
  { name: 'refuses the worker', change: problem('measurement.unknown'), code: 'refusal.unsigned' },
  {
    name: 'says that the request is malformed',
    change: problem('request.malformed'),
    code: 'refusal.unsigned',
  },
  { name: 'says what would stop a worker', change: problem('evidence.conflict'), code: 'refusal.unsigned' },
  {
    name: 'refuses the worker with a signature of its own',
    change: ({ body }) => {
      const { verifierKeys, grantKey, freshness } = JSON.parse(body)
      return problem('boot.mismatch', { verifierKeys, grantKey, freshness, refusal: forged })({
        status: 200,
        body,
      })
    },
    code: 'verifier.untrusted',
  },
  {
    name: 'takes the freshness statement away',
    change: ({ status, body }) => {
      const { freshness: _freshness, ...answer } = JSON.parse(body)
      return { status, body: JSON.stringify(answer) }
    },
    code: 'verifier.untrusted',
  },
  {
    name: 'replays a freshness statement that has ended',
    change: ({ status, body }) => ({
      status,
      body: JSON.stringify({ ...JSON.parse(body), freshness: ended }),
    }),
    code: 'grant.stale',
  },
  {
    name: 'takes the answers away',
    change: ({ status, body }) => ({ status, body: JSON.stringify({ ...JSON.parse(body), answers: [] }) }),
    code: 'verifier.untrusted',
  },
  {
    name: 'answers with a page of its own',
    change: () => ({ status: 403, body: '<html>' }),
    code: 'verifier.unavailable',
  },
] satisfies readonly { readonly name: string; readonly change: Change; readonly code: ErrorCode }[])
  test(`a device between that ${name}: the job waits, and has its result`, async () => {
    const said = system.linesOf(WORKER).length
    middleman.setChange(change)
    const { file, headerDigest } = await system.seal(name.replaceAll(' ', '-'))
    const jobId = jobIdOf(await system.upload(file))
    await until(system, `the worker does not wait for ${code}`, async () =>
      system
        .linesOf(WORKER)
        .slice(said)
        .some((line) => messageOf(line) === 'waiting' && line['code'] === code),
    )
    middleman.setChange((answer) => answer)
    await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
    assert.equal((await resultsOf(system, headerDigest)).length, 1)
    assert.deepEqual(await deadLetters(system), [])
    const lines = system.linesOf(WORKER).slice(said)
    assert.deepEqual(
      lines.map(messageOf).filter((message) => message === 'refused' || message === 'rejoining'),
      [],
    )
  })

test('the evidence is intact, and the worker wrote no refusal into it', async () => {
  const { releases, setAside } = await audit(system)
  assert.ok(releases.length > 0)
  assert.deepEqual(setAside, [])
  const entries = await Array.fromAsync(workerEntries(system.deployment.folders.evidence))
  assert.ok(entries.some(({ event }) => event === 'result.visible'))
  assert.ok(!entries.some(({ event }) => event === 'release.denied'))
})

test('one trace leads from the function over both logs to the result', async () => {
  const messages = await messagesOn(system, STREAMS.jobs)
  assert.ok(messages.length > 0)
  const { evidence } = system.deployment.folders
  const decided = await Array.fromAsync(verifierEntries(evidence))
  const worked = await Array.fromAsync(workerEntries(evidence))
  for (const { jobId, traceparent } of messages.map((message) => JobFormat.decode(message))) {
    const received = worked.find((entry) => entry.event === 'key.received' && entry.jobId === jobId)
    assert.ok(received?.event === 'key.received' && received.traceparent === traceparent)
    const { headerDigests, releaseId } = received
    const decision = decided.find(
      (entry) => entry.event === 'release.decided' && entry.releaseId === releaseId,
    )
    assert.equal(decision?.event === 'release.decided' && decision.traceparent, traceparent)
    const [result] = await resultsOf(system, headerDigests[0] ?? '')
    assert.equal(result?.traceparent, traceparent)
    const ended = system
      .linesOf(WORKER)
      .find((line) => line['jobId'] === jobId && messageOf(line) === 'ended')
    assert.equal(ended?.['traceparent'], traceparent)
  }
})
