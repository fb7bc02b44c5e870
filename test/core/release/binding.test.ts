import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { bootOf } from '#core/boot/boot.ts'
import { fromBase64url, sha256, toBase64url, utf8 } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { thumbprint } from '#core/jwk.ts'
import { expectBinding, jobsBytesOf, readJobs, readRequest } from '#core/release/binding.ts'
import { mintNonce } from '#core/release/nonce.ts'
import { prepareRequest } from '#core/release/prepare.ts'
import { MAX_REQUEST_BYTES, ReleaseJobsFormat, type ReleaseRequest } from '#core/release/request.ts'
import { type RuntimeData, RuntimeDataFormat, reportDataOf } from '#core/release/runtimeData.ts'
import { trustDigest } from '#core/release/trust.ts'
import { AUDIENCE, client, jobOf, NOW, root, workerKeys } from './releaseWorld.ts'

const worker = workerKeys()
const nonce = mintNonce({ epoch: 1, key: randomBytes(32) }, AUDIENCE, NOW, randomBytes(16))
const challenge = { nonce: toBase64url(nonce), exp: NOW + 300, aud: AUDIENCE }
const trust = trustDigest({
  providerRoot: root,
  audience: AUDIENCE,
  client: 'acme',
  purpose: 'HRESCH',
  simulation: true,
  workloads: [],
  sandbox: 'none',
  logLevel: 'info',
})
const job = await jobOf()

const options = {
  challenge,
  audience: AUDIENCE,
  jobs: [job],
  asker: { client: 'acme', purpose: 'HRESCH' },
  signer: client,
  jti: 'ab'.repeat(16),
  wrapKey: worker.wrapKey,
  evidenceSigner: worker.evidenceSigner,
  trust,
  software: 'confidential-worker 0.1.0',
}
const prepared = await prepareRequest(options)
const request = prepared.withEvidence({ report: Buffer.alloc(1184), certs: [Buffer.alloc(900)] })
const body = (value: unknown) => utf8(JSON.stringify(value))

test('the Verifier reads what the worker prepared, and the report binds every part', () => {
  const read = readRequest(body(request))
  assert.deepEqual(readJobs(jobsBytesOf(read)), [job])
  assert.equal(read.wrapKey, thumbprint(worker.wrapKey))
  assert.equal(read.nonce.equals(nonce), true)
  assert.deepEqual(read.runtimeData, {
    v: 1,
    nonce: challenge.nonce,
    aud: AUDIENCE,
    wrapKey: worker.wrapKey,
    evidenceKey: worker.evidenceKey,
    boot: bootOf(worker.evidenceKey),
    jobsDigest: toBase64url(sha256(ReleaseJobsFormat.encode([job]))),
    assertion: toBase64url(sha256(utf8(request.clientAssertion))),
    trust: toBase64url(trust),
    software: options.software,
  })
  assert.equal(prepared.reportData.byteLength, 64)
  expectBinding(read, jobsBytesOf(read), { reportData: prepared.reportData, audience: AUDIENCE })
})

const runtimeData = RuntimeDataFormat.decode(fromBase64url(request.runtimeData))

/** The request with other runtime data, and the report data that bind them. */
function rebound(changes: Partial<RuntimeData>, parts: Partial<ReleaseRequest> = {}) {
  const bytes = RuntimeDataFormat.encode({ ...runtimeData, ...changes })
  const read = readRequest(body({ ...request, ...parts, runtimeData: toBase64url(bytes) }))
  return { read, reportData: reportDataOf(bytes) }
}

const otherJobs = toBase64url(ReleaseJobsFormat.encode([await jobOf({ sealId: '6f'.repeat(16) })]))

for (const { name, given, audience } of [
  {
    name: 'a report over other data',
    given: { ...rebound({}), reportData: prepared.reportData.map((byte) => byte ^ 1) },
  },
  { name: 'a report over zeros', given: { ...rebound({}), reportData: Buffer.alloc(64) } },
  { name: 'empty report data', given: { ...rebound({}), reportData: Buffer.alloc(0) } },
  { name: 'other runtime data', given: { ...rebound({ software: 'x' }), reportData: prepared.reportData } },
  { name: 'other jobs', given: rebound({}, { jobs: otherJobs }) },
  { name: 'another assertion', given: rebound({}, { clientAssertion: 'a.b.c' }) },
  { name: 'another boot id', given: rebound({ boot: 'a'.repeat(26) }) },
  { name: 'another audience', given: rebound({}), audience: 'https://elsewhere.example' },
])
  test(`refused: ${name}`, () => {
    const { read, reportData } = given
    const jobsBytes = jobsBytesOf(read)
    assert.throws(() => expectBinding(read, jobsBytes, { reportData, audience: audience ?? AUDIENCE }), {
      name: 'CodedError',
      code: 'report.data-mismatch',
    })
  })

test('refused: a bound wrap key that is not on its curve', () => {
  const { read, reportData } = rebound({ wrapKey: { ...worker.wrapKey, y: worker.wrapKey.x } })
  const jobsBytes = jobsBytesOf(read)
  assert.throws(() => expectBinding(read, jobsBytes, { reportData, audience: AUDIENCE }), {
    code: 'request.malformed',
  })
})

test('the greatest request is read, and a larger one is not parsed', () => {
  const text = body(request)
  const filled = (length: number) => Buffer.concat([text, Buffer.alloc(length - text.byteLength, ' ')])
  assert.equal(readRequest(filled(MAX_REQUEST_BYTES)).wrapKey, thumbprint(worker.wrapKey))
  assert.throws(() => readRequest(filled(MAX_REQUEST_BYTES + 1)), {
    code: 'request.malformed',
    message: 'the request has 1835009 bytes, the limit is 1835008',
  })
})

test('a request of 16 values is parsed, one of 17 is not', () => {
  const withValues = (count: number) =>
    utf8(
      `[${Array(count - 1)
        .fill('1')
        .join()},1]`,
    )
  const malformed = (message: RegExp) => ({ code: 'request.malformed', message })
  assert.throws(() => readRequest(withValues(16)), malformed(/is malformed/))
  assert.throws(() => readRequest(withValues(17)), malformed(/more than 16 values/))
})

const spaced = utf8(JSON.stringify(JSON.parse(fromBase64url(request.runtimeData).toString()), undefined, 1))

for (const { name, bytes } of [
  { name: 'too large', bytes: Buffer.alloc(MAX_REQUEST_BYTES + 1, 0x20) },
  { name: 'not JSON', bytes: utf8('{') },
  { name: 'with an extra member', bytes: body({ ...request, hint: 1 }) },
  { name: 'without jobs', bytes: body({ ...request, jobs: '' }) },
  { name: 'with more members than any request', bytes: body({ ...request, jobs: Array(40).fill(1) }) },
  {
    name: 'with a report that is too short',
    bytes: body({ ...request, evidence: { ...request.evidence, report: toBase64url(Buffer.alloc(1183)) } }),
  },
  { name: 'without certificates', bytes: body({ ...request, evidence: { ...request.evidence, certs: [] } }) },
  {
    name: 'of another kind of evidence',
    bytes: body({ ...request, evidence: { ...request.evidence, type: 'tdx' } }),
  },
  {
    name: 'with runtime data that are not canonical',
    bytes: body({ ...request, runtimeData: toBase64url(spaced) }),
  },
  {
    name: 'with padded runtime data',
    bytes: body({ ...request, runtimeData: `${request.runtimeData}=` }),
  },
])
  test(`malformed: a request ${name}`, () => {
    assert.throws(() => readRequest(bytes), { name: 'CodedError', code: 'request.malformed' })
  })

for (const { name, jobs } of [
  { name: 'that are not JSON', jobs: utf8('[') },
  { name: 'that nest', jobs: utf8('['.repeat(1_200_000)) },
  {
    name: 'with more objects than a request may have',
    jobs: canonicalBytes(Array.from({ length: 257 }, () => job)),
  },
  {
    name: 'with more objects than a job may have',
    jobs: canonicalBytes([{ ...job, objects: Array.from({ length: 65 }, () => job.objects[0]) }]),
  },
  { name: 'with more values than objects have', jobs: canonicalBytes(Array(100_000).fill(0)) },
])
  test(`malformed: jobs ${name}, which a request leaves undecoded`, () => {
    const read = readRequest(body({ ...request, jobs: toBase64url(jobs) }))
    const jobsBytes = jobsBytesOf(read)
    assert.throws(() => readJobs(jobsBytes), { name: 'CodedError', code: 'request.malformed' })
  })

test('malformed: jobs that are no base64url, which a request leaves undecoded', () => {
  for (const jobs of [`${request.jobs}=`, '%', 'A']) {
    const read = readRequest(body({ ...request, jobs }))
    assert.throws(() => jobsBytesOf(read), { name: 'CodedError', code: 'request.malformed' })
  }
})

test('a request with an empty list of jobs is a preflight', () => {
  const preflight = body({ ...request, jobs: toBase64url(canonicalBytes([])) })
  assert.deepEqual(readJobs(jobsBytesOf(readRequest(preflight))), [])
})

test('a worker does not answer a challenge of another audience', async () => {
  await assert.rejects(
    prepareRequest({ ...options, challenge: { ...challenge, aud: 'https://elsewhere.example' } }),
    {
      code: 'verifier.untrusted',
    },
  )
})

test('the trust digest covers every field, and the workloads in any order', () => {
  const anchors = {
    providerRoot: root,
    audience: AUDIENCE,
    client: 'acme',
    purpose: 'HRESCH',
    simulation: true,
    sandbox: 'none',
    logLevel: 'info',
  } as const
  const [a, b] = [`a@${'1'.repeat(64)}`, `b@${'2'.repeat(64)}`]
  const digest = trustDigest({ ...anchors, workloads: [a, b] })
  assert.deepEqual(trustDigest({ ...anchors, workloads: [b, a] }), digest)
  for (const changed of [
    { workloads: [a] },
    { audience: 'https://elsewhere.example' },
    { client: 'other' },
    { purpose: 'TREAT' },
    { simulation: false },
    { sandbox: 'bwrap' as const },
    { logLevel: 'warn' as const },
    { providerRoot: { ...root, threshold: 3 } },
  ])
    assert.notDeepEqual(trustDigest({ ...anchors, workloads: [a, b], ...changed }), digest)
})
