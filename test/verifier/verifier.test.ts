/** The Verifier as a process, over TLS, with the emulator: its releases, its refusals and its evidence. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { auditBuckets } from '#adapters/evidence/folderAudit.ts'
import { createEvidenceLog } from '#adapters/evidence/log.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { findDenial } from '#cli/explain/denial.ts'
import { renderDenial } from '#cli/explain/text.ts'
import { fromBase64url, sha256, toBase64url, toHex, utf8 } from '#core/bytes.ts'
import { checkpointName } from '#core/evidence/checkpoint.ts'
import { keySigner, peekCompact } from '#core/jws.ts'
import { RefusalFormat } from '#core/release/refusal.ts'
import type { ReleaseJob, ReleaseResponse } from '#core/release/request.ts'
import { MAX_REQUEST_BYTES } from '#core/release/request.ts'
import { headerDigest } from '#core/sealed/header.ts'
import type { AmdAuthority } from '#lab/amd/authority.ts'
import { p384, workerKeys } from '../core/release/releaseWorld.ts'
import { startKds } from '../kds.ts'
import { CONSUMER_NAMESPACE, temporaryFolder } from '../lab/emulator/testEmulator.ts'
import {
  ANCHORS,
  deploy,
  governance,
  PLATFORM_MEASUREMENT,
  PROVIDER,
  verifierLogs,
  workerLogs,
  writeTls,
} from './deployment.ts'
import { expectDescribed, expectDescribedRequest } from './described.ts'
import { runVerifier, says } from './program.ts'
import { createCa } from './tls.ts'
import { ASKER, createWorker, type WorkerChanges } from './worker.ts'

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

/** A folder of endorsements without a revocation list. */
async function rootsOf(t: TestContext, { product, arkDer, askDer }: AmdAuthority): Promise<string> {
  const folder = await temporaryFolder(t)
  await mkdir(join(folder, product))
  await writeFile(join(folder, product, 'ark.der'), arkDer)
  await writeFile(join(folder, product, 'ask.der'), askDer)
  return folder
}

/** The code of the refusal of one job. */
function codeOfAnswer({ answers: [answer] }: ReleaseResponse): string {
  assert.ok(answer !== undefined && 'refusal' in answer, 'the job was not refused')
  return peekCompact(RefusalFormat, answer.refusal, 'verifier.untrusted').payload.code
}

/** Authentic requests that do not fit the policy: whatever they ask for, they are refused as a whole. */
const refused: readonly { name: string; changes: WorkerChanges; code: string }[] = [
  {
    name: 'an unapproved measurement',
    changes: { platform: { measurement: 'c7'.repeat(48) } },
    code: 'measurement.unknown',
  },
  {
    name: 'a guest that allows debugging',
    changes: { platform: { guestPolicy: { debug: true } } },
    code: 'guest-policy.debug',
  },
  {
    name: 'assurance platform, for a dataset that requires measured',
    changes: { platform: { measurement: PLATFORM_MEASUREMENT } },
    code: 'assurance.insufficient',
  },
  {
    name: 'a trust digest that no reference values list',
    changes: { trust: randomBytes(32) },
    code: 'trust.unknown',
  },
  {
    name: 'a purpose without a permission',
    changes: { asker: { ...ASKER, purpose: 'HMARKT' } },
    code: 'client.none',
  },
  {
    name: 'another scope than the permission has',
    changes: { asker: { ...ASKER, scope: 'system/Patient.rs' } },
    code: 'scope.exceeded',
  },
]

/** Requests that are not authentic. Each is refused as a whole, and the evidence only counts it. */
const turnedAway: readonly { name: string; changes: WorkerChanges; code: string }[] = [
  {
    name: 'a nonce with another MAC, before its jobs are parsed',
    changes: {
      request: (request) => ({ ...request, jobs: toBase64url(utf8('[[[')) }),
      challenge: (challenge) => {
        const nonce = fromBase64url(challenge.nonce)
        nonce.writeUInt8(nonce.readUInt8(60) ^ 1, 60)
        return { ...challenge, nonce: toBase64url(nonce) }
      },
    },
    code: 'nonce.invalid',
  },
  {
    name: 'a report over other data',
    changes: { reportData: () => Buffer.alloc(64, 9) },
    code: 'report.data-mismatch',
  },
  {
    name: 'other jobs than the report binds',
    changes: {
      request: (request) => ({ ...request, jobs: toBase64url(fromBase64url(request.jobs).subarray(3)) }),
    },
    code: 'report.data-mismatch',
  },
  {
    name: 'the boot of another, before its assertion is looked at',
    changes: {
      signer: keySigner(p384()),
      evidenceSigner: { ...workerKeys().evidenceSigner, jwk: workerKeys().evidenceKey },
    },
    code: 'possession.invalid',
  },
  {
    name: "an assertion by another key than the client's",
    changes: { signer: keySigner(p384()) },
    code: 'assertion.invalid',
  },
  {
    name: 'a report with a wrong signature',
    changes: {
      request: (request) => {
        const report = fromBase64url(request.evidence.report)
        report.writeUInt8(report.readUInt8(0x2a0) ^ 1, 0x2a0)
        return { ...request, evidence: { ...request.evidence, report: toBase64url(report) } }
      },
    },
    code: 'report.signature',
  },
]

test('the Verifier', async (t) => {
  const deployment = await deploy(t)
  const { ca } = deployment
  const kds = await startKds([deployment.authority])
  t.after(kds.close)
  const folder = await rootsOf(t, deployment.authority)
  const config = deployment.config({ endorsements: { folder, kds: { url: kds.url, refreshHours: 1 } } })
  await writeTls(config, ca)
  const path = await deployment.write(config)
  const verifier = runVerifier(t, ['--config', path])
  const ready = await verifier.line(says('ready'))
  const url = String(ready['url'])
  const worker = createWorker(deployment, url)
  t.after(() => worker.service.close())
  const sealed = await deployment.seal()
  const metric = async (line: RegExp): Promise<boolean> =>
    line.test(await (await fetch(`${ready['monitor']}/metrics`)).text())
  const probe = async (): Promise<number> => (await fetch(`${ready['monitor']}/readyz`)).status

  await t.test('without a policy it is not ready and releases nothing', async () => {
    assert.equal(await probe(), 503)
    await assert.rejects(worker.ask([sealed.job]), { code: 'policy.none' })
  })

  await t.test('it fetches the revocation list of its root', async () => {
    await verifier.line(says('revocation list in force', { product: 'Genoa' }))
    assert.ok(await metric(/^cw_verifier_crl_days_left\{product="Genoa"\} \d\d\./m))
    assert.ok(await metric(/^cw_verifier_crl_age_seconds\{product="Genoa"\} \d+/m))
    assert.ok((await readFile(join(folder, 'Genoa', 'crl.der'))).byteLength > 500)
    assert.deepEqual(kds.requests, ['200 /vcek/v1/Genoa/crl'])
  })

  await t.test('a policy without a quorum does not come into force', async () => {
    await deployment.putVerifierKeys()
    const name = await deployment.putPolicy(deployment.policy(1), [keySigner(p384())])
    await verifier.line(says('governance object ignored', { name }))
    await assert.rejects(worker.ask([sealed.job]), { code: 'policy.none' })
  })

  await deployment.putPolicy(deployment.policy(2))
  await verifier.line(says('policy loaded', { policySeq: 2 }))

  // The worker's own log, so that the audit at the end has both sides.
  const store = deployment.instance('worker-1').objectStore()
  const log = createEvidenceLog({
    store,
    bucket: workerLogs,
    role: 'worker',
    key: worker.evidence,
    boot: worker.boot,
    software: 'test/1',
    simulation: true,
    now: systemClock.now,
  })

  await t.test('an attested worker gets the keys of permitted objects only', async () => {
    assert.equal(await probe(), 200)
    const other = await deployment.seal({ dataset: 'elsewhere' })
    const [granted, denied] = await worker.obtain([sealed.job, other.job])
    assert.ok(granted?.kind === 'granted' && denied?.kind === 'refused')
    assert.equal(denied.denial.code, 'permission.none')
    const [keys] = granted.opened
    assert.deepEqual(keys?.dek, sealed.dek)
    assert.deepEqual(keys?.idKey, deployment.idKey)
    const { grant, grantDigest } = granted
    assert.equal(grant.reference, 'worker-1')
    assert.equal(grant.assurance, 'measured')
    assert.equal(grant.simulation, true)
    assert.equal(grant.policySeq, 2)
    assert.equal(grant.log.boot, ready['boot'])
    const header = sealed.job.objects[0]?.header ?? ''
    assert.equal(grant.objects[0]?.headerDigest, toBase64url(headerDigest(header)))

    const { releaseId } = grant
    const jobId = toHex(randomBytes(16))
    log.append({
      event: 'key.received',
      jobId,
      traceparent: TRACEPARENT,
      releaseId,
      grantDigest,
      headerDigests: grant.objects.map((object) => object.headerDigest),
      verifier: {
        boot: grant.log.boot,
        index: grant.log.index,
        checkpointDigest: toBase64url(sha256(utf8(grant.log.checkpoint))),
      },
    })
    log.append({
      event: 'job.failed',
      jobId,
      traceparent: TRACEPARENT,
      releaseId,
      code: 'workload.failed',
    })
    await log.close('drained')
    assert.ok(await metric(/^cw_verifier_releases_total\{outcome="issued",code=""\} 1$/m))
    for (const what of ['policy', 'verifier-keys', 'reference-values', 'permission'])
      assert.ok(
        await metric(new RegExp(`^cw_verifier_governance_days_left\\{what="${what}",id="[^"]*"\\} \\d`, 'm')),
        what,
      )
    for (const step of ['authenticate', 'decide', 'record', 'store', 'issue', 'flush'])
      assert.ok(
        await metric(new RegExp(`^cw_verifier_step_duration_seconds_count\\{step="${step}"\\} [1-9]`, 'm')),
        step,
      )
    assert.ok(await metric(/^cw_verifier_freshness_seconds_left [78]\d\d$/m))
    assert.ok(await metric(/^cw_verifier_simulation 1$/m))
  })

  for (const { name, changes, code } of refused)
    await t.test(`refused: ${name}`, async () => {
      for (const jobs of [[sealed.job], []])
        await assert.rejects(worker.ask(jobs, changes), { name: 'RequestRefused', code })
    })

  await t.test('a preflight of a good worker is accepted, without an answer', async () => {
    assert.deepEqual(await worker.obtain([]), [])
  })

  await t.test('requests and answers are as the OpenAPI document says', async () => {
    const path = '/v1/releases'
    const options = { ca: ca.pem, ...ca.issue('worker') }
    const statusOf = async (jobs: readonly ReleaseJob[], changes?: WorkerChanges) => {
      const body = JSON.stringify((await worker.prepare(jobs, changes)).request)
      expectDescribedRequest(path, body)
      const answer = await post(`${url}${path}`, body, options)
      expectDescribed(path, answer)
      return [answer.status, Object.keys(JSON.parse(answer.text)).includes('grantKey')]
    }
    const signer = keySigner(p384())
    const platform = { measurement: 'c7'.repeat(48) }
    assert.deepEqual(await statusOf([]), [200, true])
    assert.deepEqual(await statusOf([(await deployment.seal({ dataset: 'elsewhere' })).job]), [200, true])
    assert.deepEqual(await statusOf([sealed.job], { platform }), [403, true])
    assert.deepEqual(await statusOf([], { signer }), [403, false])
  })

  for (const { name, changes, code } of turnedAway)
    await t.test(`refused as a whole: ${name}`, async () => {
      // Not signed: someone between could have made it of a good request.
      await assert.rejects(worker.ask([sealed.job], changes), {
        code: code.startsWith('nonce.') ? code : 'refusal.unsigned',
        message: new RegExp(` refuses with ${code}, denial [0-9a-f]{32}, not signed$`),
      })
    })

  await t.test('refused: an object signed by another key', async () => {
    const { job } = await deployment.seal({}, keySigner(p384()))
    assert.equal(codeOfAnswer(await worker.ask([job])), 'object.unsigned')
  })

  await t.test('a wrapped key of another object fails the release, and the log says so', async () => {
    const { header } = await deployment.seal()
    const { job } = await deployment.seal({ custody: header.custody })
    assert.equal(codeOfAnswer(await worker.ask([job])), 'key.unopened')
    assert.ok(await metric(/^cw_verifier_releases_total\{outcome="failed",code="key.unopened"\} 1$/m))
  })

  await t.test('a nonce can be used once, at any replica', async () => {
    const second = runVerifier(t, ['--config', path])
    const there = createWorker(deployment, String((await second.line(says('ready')))['url']))
    t.after(() => there.service.close())
    const { request, nonce } = await worker.prepare([sealed.job], {
      platform: { measurement: 'c7'.repeat(48) },
    })
    for (const [at, code] of [
      [worker, 'measurement.unknown'],
      [worker, 'nonce.spent'],
      [there, 'nonce.spent'],
    ] as const) {
      const answer = await at.service.release(request, nonce)
      assert.ok('refusal' in answer)
      const { payload } = peekCompact(RefusalFormat, answer.refusal, 'verifier.untrusted')
      assert.deepEqual([payload.code, payload.job], [code, null])
    }
    second.kill('SIGTERM')
    assert.equal(await second.exit, 0)
  })

  await t.test('one signer revokes at once', async () => {
    await deployment.putRevocation({ objects: [sealed.header.sealId] })
    await verifier.line(says('policy loaded', { revocationSeq: 1 }))
    assert.equal(codeOfAnswer(await worker.ask([sealed.job])), 'object.withdrawn')
  })

  await t.test('no connection without a certificate, with a foreign one, or with TLS 1.2', async () => {
    const stranger = createWorker(deployment, url, createCa('stranger').issue('worker'))
    await assert.rejects(stranger.service.challenge(), { code: 'verifier.unavailable' })
    const known = ca.issue('worker')
    const refusedOptions = [{}, { ...known, maxVersion: 'TLSv1.2' as const }]
    for (const options of refusedOptions)
      await assert.rejects(post(`${url}/v1/challenges`, '', { ca: ca.pem, ...options }), Error)
    assert.equal((await post(`${url}/v1/challenges`, '', { ca: ca.pem, ...known })).status, 200)
    for (const reason of ['untrusted-certificate', 'no-certificate', 'old-protocol'])
      assert.ok(await metric(new RegExp(`^cw_verifier_tls_refused_total\\{reason="${reason}"\\} 1$`, 'm')))
    assert.ok(await metric(/^cw_verifier_connections\{state="client"\} \d+$/m))
    assert.ok(verifier.lines.some(says('TLS refused', { code: 'tls.refused', reason: 'no-certificate' })))
  })

  await t.test('malformed bodies and unknown paths', async () => {
    const known = { ca: ca.pem, ...ca.issue('worker') }
    const cases = [
      ['/v1/releases', 'x'.repeat(MAX_REQUEST_BYTES + 1)],
      ['/v1/releases', ''],
      ['/v1/releases', '{"evidence":{}}'],
      ['/v1/challenges', 'x'.repeat(2048)],
      ['/v2/releases', '{}'],
    ] as const
    for (const [route, body] of cases) {
      const { status, type, text } = await post(url + route, body, known)
      assert.equal(status, 400, route)
      assert.equal(type, 'application/problem+json')
      const { denialId, ...problem } = JSON.parse(text)
      assert.match(denialId, /^[0-9a-f]{32}$/)
      assert.deepEqual(problem, {
        type: 'urn:confidential-worker:error:request.malformed',
        title: 'the release request does not follow its schema or exceeds a limit',
        status: 400,
        code: 'request.malformed',
        stage: 'request',
        retryable: false,
      })
    }
    assert.ok(await metric(/^cw_verifier_requests_refused_total\{code="request.malformed"\} 5$/m))
  })

  await t.test('after SIGTERM it ends in order, and its evidence verifies', async () => {
    verifier.kill('SIGTERM')
    assert.equal(await verifier.exit, 0)
    const objects = (await deployment.user(PROVIDER, 'auditor')).objectStore()
    const buckets = {
      provider: {
        namespace: governance.namespace,
        governance: governance.bucket,
        evidence: verifierLogs.bucket,
        workerEvidence: workerLogs.bucket,
      },
      consumer: { namespace: CONSUMER_NAMESPACE, results: 'results' },
    }
    const trust = await deployment.write(ANCHORS)
    const report = await auditBuckets(buckets, { trust, simulation: true }, objects)
    // The policy with a foreign signature is still stored. The audit finds it as the Verifier did. The objects
    // here were sealed in memory, without seal records.
    assert.deepEqual(
      report.findings.map(({ code }) => code),
      ['governance.ignored', 'seal.missing'],
    )
    assert.deepEqual(
      report.logs.map(({ status }) => status),
      ['closed', 'closed', 'closed'],
    )
    const decided = report.releases.map((release) =>
      release.kind === 'allowed' ? release.status : release.reasons[0]?.code,
    )
    // Sorted, since each replica has its own indices.
    const expected = [
      'failed',
      'permission.none',
      // With a job and as a preflight.
      ...refused.flatMap(({ code }) => [code, code]),
      'object.unsigned',
      'withheld',
      'measurement.unknown',
      'nonce.spent',
      'nonce.spent',
      'object.withdrawn',
      // Of the OpenAPI document.
      'permission.none',
      'measurement.unknown',
    ]
    assert.deepEqual(decided.sort(), expected.sort())
    // Each refusal that a worker was told of can be explained from the evidence.
    const denied = report.releases.flatMap((release) => (release.kind === 'refused' ? [release] : []))
    for (const { denialId, reasons } of denied) {
      const denial = findDenial(report, denialId.slice(0, 12))
      assert.ok(renderDenial(denial).includes(reasons[0]?.remedy.slice(0, 40) ?? assert.fail()))
      if (reasons.some(({ code }) => code === 'measurement.unknown'))
        assert.deepEqual(denial.nearest[0]?.fields, ['measurement'])
    }
    const counts = new Map<string, number>([['assertion.invalid', 1]])
    for (const { code } of turnedAway) counts.set(code, (counts.get(code) ?? 0) + 1)
    // The strangers, and the client with TLS 1.2.
    counts.set('tls.refused', 3)
    assert.deepEqual(
      report.turnedAway.filter(({ code }) => code !== 'request.malformed' && code !== 'policy.none'),
      [...counts].sort().map(([code, count]) => ({ code, count })),
    )
  })

  await t.test('the Verifier ends if another program writes to its log', async () => {
    const ending = runVerifier(t, ['--config', path])
    const { boot, url: address } = await ending.line(says('ready'))
    const own = deployment.instance('verifier').objectStore()
    const sizes: number[] = []
    for await (const { name } of own.list(verifierLogs, `${boot}/checkpoint/`))
      sizes.push(Number(name.split('/').at(-1)))
    const next = checkpointName(Math.max(...sizes) + 1)
    await own.create({ ...verifierLogs, name: `${boot}/${next}` }, utf8('another log\n'))
    const there = createWorker(deployment, String(address))
    t.after(() => there.service.close())
    await assert.rejects(there.ask([sealed.job], { asker: { ...ASKER, purpose: 'HMARKT' } }), {
      code: 'verifier.unavailable',
    })
    assert.equal(await ending.exit, 75)
    assert.ok(ending.lines.some(says('stopping', { reason: 'evidence.conflict' })))
  })
})

test('--check-config checks a configuration without using it', async (t) => {
  const deployment = await deploy(t)
  const config = deployment.config()
  await writeTls(config, deployment.ca)
  const exitOf = async (value: unknown) =>
    runVerifier(t, ['--check-config', '--config', await deployment.write(value)]).exit
  const exits = [
    exitOf(config),
    exitOf({ ...config, surplus: 1 }),
    exitOf({ ...config, tls: { ...config.tls, key: '/nonexistent/key' } }),
    // Outside simulation the emulator's root and plain http are refused.
    exitOf({ ...config, simulation: false }),
  ]
  assert.deepEqual(await Promise.all(exits), [0, 78, 78, 78])
})

async function post(
  address: string,
  body: string,
  options: object,
): Promise<{ readonly status: number | undefined; readonly type: unknown; readonly text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number | undefined
    type: unknown
    text: string
  }>()
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  const sent = httpsRequest(address, { method: 'POST', headers, ...options }, (response) => {
    let text = ''
    response.setEncoding('utf8')
    response.on('data', (chunk) => {
      text += chunk
    })
    response.on('end', () =>
      resolve({ status: response.statusCode, type: response.headers['content-type'], text }),
    )
  })
  sent.on('error', reject)
  sent.end(body)
  return await promise
}
