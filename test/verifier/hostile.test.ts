/**
 * Hostile clients against two replicas of one deployment, over TLS. Each attack ends with its code, without a
 * key, and with its evidence; a good client has its keys right after. `hostile/threats.ts` says which threat is
 * played where.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { auditBuckets } from '#adapters/evidence/folderAudit.ts'
import { fromBase64url, toBase64url } from '#core/bytes.ts'
import { keySigner, peekCompact, type Signer, signCompact } from '#core/jws.ts'
import { FreshnessFormat } from '#core/policy/freshness.ts'
import { keysOf } from '#core/release/accept.ts'
import { GrantFormat } from '#core/release/grant.ts'
import { keyDigest } from '#core/release/issue.ts'
import { RefusalFormat } from '#core/release/refusal.ts'
import { type ReleaseJob, type ReleaseRequest, ReleaseResponse } from '#core/release/request.ts'
import { RuntimeDataFormat } from '#core/release/runtimeData.ts'
import { wrapKeys } from '#core/release/wrap.ts'
import { plainMemory } from '#core/secretMemory.ts'
import { SERIALS } from '#lab/amd/authority.ts'
import { createEmulatorControl } from '#lab/demo/emulatorControl.ts'
import { crlOf } from '../amd.ts'
import { freshnessKey, p256, p384 } from '../core/release/releaseWorld.ts'
import { type Message, type Middleman, startMiddleman } from '../e2e/middleman.ts'
import { CONSUMER_NAMESPACE, id, temporaryFolder } from '../lab/emulator/testEmulator.ts'
import {
  ANCHORS,
  type Deployment,
  deploy,
  governance,
  PROVIDER,
  verifierLogs,
  workerLogs,
  writeTls,
} from './deployment.ts'
import { ATTACKS } from './hostile/attacks.ts'
import { bindAnew, GOOD, type Scene, strictPolicy } from './hostile/scene.ts'
import { CLIENT, ROWS } from './hostile/threats.ts'
import { type Program, runVerifier, says } from './program.ts'
import { createWorker, type WorkerChanges } from './worker.ts'

/** In place of the header's nonce, which a Verifier that asks for certificates does not look at. */
const UNREAD = 'unread'

/** The end of an attack: `denialId` if the Verifier decided and signed it. */
type End = { readonly code: string; readonly denialId: string | null }
const UNSIGNED = / refuses with ([a-z.-]+), denial [0-9a-f]{32}, not signed$/

const ends: (() => unknown)[] = []
/** What the audit must find, in the order of play. */
const played: End[] = []
let deployment: Deployment
let configPath: string
let control: ReturnType<typeof createEmulatorControl>
let replicas: { readonly program: Program; readonly url: string }[]
let scene: Scene
let there: Scene['worker']
let policySeq = 1
const t = { after: (end: () => unknown) => ends.push(end) }

async function startReplica(path = configPath) {
  const program = runVerifier(t, ['--config', path])
  const ready = await program.line(says('ready'))
  await program.line(says('policy loaded'))
  return { program, url: String(ready['url']) }
}

function workerAt(url: string) {
  const worker = createWorker(deployment, url)
  t.after(() => worker.service.close())
  return worker
}

before(async () => {
  deployment = await deploy(t)
  control = createEmulatorControl(deployment.emulator.endpoint)
  const config = deployment.config()
  await writeTls(config, deployment.ca)
  await deployment.putVerifierKeys()
  await deployment.putPolicy(strictPolicy(deployment, policySeq))
  configPath = await deployment.write(config)
  replicas = await Promise.all([startReplica(), startReplica()])
  const [first, second] = replicas
  const worker = workerAt(first?.url ?? '')
  there = workerAt(second?.url ?? '')
  const sealed = await deployment.seal()
  const { request: recorded } = await worker.prepare([sealed.job], { platform: GOOD })
  assert.ok(keysIn(await worker.service.release(recorded, UNREAD)) > 0)
  const secret = await deployment.instance('verifier').secretStore().read(id('vaultsecret', 'nonce-mac'))
  scene = { deployment, worker, sealed, recorded, nonceKey: { epoch: secret.version, key: secret.content } }
})
after(async () => {
  for (const end of ends.toReversed()) await end()
})

/** A good client is served: its keys are those of the object. */
async function expectServed(worker = scene.worker): Promise<void> {
  const [answer] = await worker.obtain([scene.sealed.job], { platform: GOOD })
  assert.ok(answer?.kind === 'granted')
  assert.deepEqual(answer.opened[0]?.dek, scene.sealed.dek)
}

/** Asks, and says how it ended. Throws if a key left, or anything that is no refusal. */
async function endOf(jobs: readonly ReleaseJob[], changes: WorkerChanges): Promise<End> {
  const { request } = await scene.worker.prepare(jobs, changes)
  return await endOfRequest(request)
}

async function endOfRequest(request: ReleaseRequest, worker = scene.worker): Promise<End> {
  try {
    const answer = await worker.service.release(request, UNREAD)
    assert.equal(keysIn(answer), 0, 'a key left')
    const [first] = 'refusal' in answer ? [answer] : answer.answers
    assert.ok(first !== undefined && 'refusal' in first)
    const { payload } = peekCompact(RefusalFormat, first.refusal, 'verifier.untrusted')
    return { code: payload.code, denialId: payload.denialId }
  } catch (error) {
    const [, code] = error instanceof Error ? (UNSIGNED.exec(error.message) ?? []) : []
    if (code === undefined) throw error
    return { code, denialId: null }
  }
}

function keysIn(answer: object): number {
  const { answers } = ReleaseResponse.partial().strip().parse(answer)
  return (answers ?? []).reduce((sum, each) => sum + ('keys' in each ? each.keys.length : 0), 0)
}

async function decryptions(): Promise<number> {
  const calls = (await control.calls()).filter(({ call }) => call.includes('decrypt'))
  return calls.reduce((sum, { count }) => sum + count, 0)
}

test('a threat that is said to be played here has its attacks, and no other', () => {
  const here = ROWS.filter(({ played }) => played.includes(CLIENT)).map(({ threat }) => threat)
  assert.deepEqual([...new Set(ATTACKS.map(({ threat }) => threat))].sort(), here.sort())
})

for (const { threat, name, code, end, vault, play } of ATTACKS)
  test(`${threat}: ${name}`, async () => {
    const { jobs = [scene.sealed.job], changes = {} } = await play(scene)
    const asked = await decryptions()
    const ended = await endOf(jobs, { platform: GOOD, ...changes })
    assert.deepEqual([ended.code, ended.denialId === null ? 'turned away' : 'decided'], [code, end])
    assert.equal((await decryptions()) > asked, vault === 'asked')
    played.push(ended)
    await expectServed()
  })

test('one nonce redeemed eight times at once, at two replicas: one is answered', async () => {
  const { request } = await scene.worker.prepare([scene.sealed.job], { platform: GOOD })
  const answers = await Promise.all(
    Array.from({ length: 8 }, async (_, index) => {
      const answer = await (index % 2 === 0 ? scene.worker : there).service.release(request, UNREAD)
      if ('refusal' in answer) {
        const { payload } = peekCompact(RefusalFormat, answer.refusal, 'verifier.untrusted')
        played.push({ code: payload.code, denialId: payload.denialId })
        return payload.code
      }
      return keysIn(answer)
    }),
  )
  assert.deepEqual(answers.sort(), [1, ...Array(7).fill('nonce.spent')].sort())
  await expectServed()
  await expectServed(there)
})

test('a recorded request is spent at another replica, and after a restart', async () => {
  const again = await endOfRequest(scene.recorded, there)
  assert.equal(again.code, 'nonce.spent')
  const second = replicas[1]
  second?.program.kill('SIGTERM')
  assert.equal(await second?.program.exit, 0)
  replicas[1] = await startReplica()
  there = workerAt(replicas[1].url)
  const later = await endOfRequest(scene.recorded, there)
  assert.equal(later.code, 'nonce.spent')
  played.push(again, later)
  await expectServed(there)
})

test('a relay under his own certificate gets only what the TEE can open', async () => {
  const relay = createWorker(deployment, replicas[0]?.url ?? '', deployment.ca.issue('relay'))
  t.after(() => relay.service.close())
  const { request, nonce } = await scene.worker.prepare([scene.sealed.job], { platform: GOOD })
  const answer = ReleaseResponse.parse(await relay.service.release(request, UNREAD))
  assert.throws(() => relay.accept(answer, [scene.sealed.job], nonce), { code: 'grant.invalid' })
  const [granted] = scene.worker.accept(answer, [scene.sealed.job], nonce)
  assert.ok(granted?.kind === 'granted')
  // He tells the TEE's grant from his own, and has no key for it.
  assert.throws(() => keysOf(granted, 0, p256(), plainMemory), { code: 'key.unopened' })
  // Nor can he ask again with the same nonce, under another report of the same TEE.
  const bound = await bindAnew(scene, request, {})
  const again = await endOfRequest(bound)
  assert.equal(again.code, 'nonce.spent')
  played.push(again)
  await expectServed()
})

type Forge = (answer: ReleaseResponse, wrapped: string) => Promise<unknown>
const attacker = keySigner(p384())
/** The grant with other keys: as the Verifier signed it, or signed by `by`. */
const withKey =
  (by: Signer | null): Forge =>
  async (answer, wrapped) => ({
    ...answer,
    answers: await Promise.all(
      answer.answers.map(async (each) => {
        if ('refusal' in each) return each
        const { payload } = peekCompact(GrantFormat, each.grant, 'grant.invalid')
        const objects = payload.objects.map((object) => ({ ...object, keyDigest: keyDigest(wrapped) }))
        const grant = by === null ? each.grant : await signCompact(GrantFormat, { ...payload, objects }, by)
        return { ...each, grant, keys: [wrapped] }
      }),
    ),
  })

for (const { name, code, forge } of [
  { name: 'his own key under a genuine grant', code: 'grant.invalid', forge: withKey(null) },
  { name: 'his own key under a grant of his own', code: 'grant.invalid', forge: withKey(attacker) },
  {
    name: 'the answer to an earlier request',
    code: 'grant.invalid',
    forge: async () => recordedAnswer,
  },
  {
    name: 'a grant key of his own',
    code: 'verifier.untrusted',
    forge: async (answer, wrapped) => {
      const [head = '', payload = ''] = answer.grantKey.split('.')
      const signature = await attacker.sign(Buffer.from(`${head}.${payload}`))
      const forged = await withKey(attacker)(answer, wrapped)
      return { ...Object(forged), grantKey: `${head}.${payload}.${toBase64url(signature)}` }
    },
  },
  {
    name: 'a statement of his own',
    code: 'verifier.untrusted',
    forge: async (answer) => ({ ...answer, freshness: await restated(answer, attacker, 0) }),
  },
  {
    name: 'a statement that has ended',
    code: 'grant.stale',
    forge: async (answer) => ({ ...answer, freshness: await restated(answer, freshnessKey, 960) }),
  },
  {
    name: 'verifier keys of his own',
    code: 'verifier.untrusted',
    forge: async (answer) => {
      const { signatures, ...keys } = answer.verifierKeys
      const signature = toBase64url(randomBytes(96))
      return {
        ...answer,
        verifierKeys: { ...keys, signatures: signatures.map((each) => ({ ...each, signature })) },
      }
    },
  },
] satisfies readonly { readonly name: string; readonly code: string; readonly forge: Forge }[])
  test(`a device between forges keys: ${name}`, async () => {
    const { middleman, between } = await deviceBetween()
    const { request, nonce } = await between.prepare([scene.sealed.job], { platform: GOOD })
    // It sees the request as the Verifier does, and wraps a key that it knows to the TEE.
    const { wrapKey } = RuntimeDataFormat.decode(fromBase64url(request.runtimeData))
    const genuine = ReleaseResponse.parse(await between.service.release(request, UNREAD))
    const [first] = genuine.answers
    assert.ok(first !== undefined && 'grant' in first)
    const [object] = peekCompact(GrantFormat, first.grant, 'grant.invalid').payload.objects
    const wrapped = wrapKeys({ dek: randomBytes(32), idKey: randomBytes(32) }, wrapKey, {
      nonce: fromBase64url(nonce),
      headerDigest: fromBase64url(object?.headerDigest ?? ''),
    })
    const forged = await forge(genuine, wrapped)
    middleman.setChange((): Message => ({ status: 200, body: JSON.stringify(forged) }))
    assert.throws(() => between.accept(ReleaseResponse.parse(forged), [scene.sealed.job], nonce), { code })
    await assert.rejects(between.obtain([scene.sealed.job], { platform: GOOD }), { name: 'CodedError' })
    middleman.setChange((answer) => answer)
    await expectServed(between)
  })

/** What the Verifier's statement names, as if it had been stated then. */
async function restated({ freshness }: ReleaseResponse, by: Signer, secondsAgo: number): Promise<string> {
  const { payload } = peekCompact(FreshnessFormat, freshness, 'policy.stale')
  const [iat, exp] = [payload.iat - secondsAgo, payload.exp - secondsAgo]
  return await signCompact(FreshnessFormat, { ...payload, iat, exp }, by)
}

let recordedAnswer: ReleaseResponse
let between: Scene['worker'] | undefined
let middleman: Middleman | undefined
async function deviceBetween() {
  if (between !== undefined && middleman !== undefined) return { between, middleman }
  const { tls } = deployment.config()
  assert.ok(tls.clientCertificates === 'required')
  const folder = await temporaryFolder(t)
  const { cert, key } = deployment.ca.issue('device')
  const own = { ca: tls.clientCa, cert: join(folder, 'device.pem'), key: join(folder, 'device.key') }
  await writeFile(own.cert, cert)
  await writeFile(own.key, key)
  middleman = await startMiddleman(
    replicas[0]?.url ?? '',
    { ca: tls.clientCa, cert: tls.cert, key: tls.key },
    own,
  )
  t.after(middleman.close)
  between = workerAt(middleman.url)
  const { request } = await between.prepare([scene.sealed.job], { platform: GOOD })
  recordedAnswer = ReleaseResponse.parse(await between.service.release(request, UNREAD))
  return { between, middleman }
}

test('what does not exist and what is not permitted are told alike', async () => {
  const unknown = await deployment.seal({ dataset: 'elsewhere' })
  const { referenceValues, ...policy } = strictPolicy(deployment, policySeq + 1)
  const [dataset] = policy.datasets
  assert.ok(dataset !== undefined)
  const closed = { ...dataset, id: 'closed', permissions: [] }
  policySeq += 1
  await deployment.putPolicy({ ...policy, referenceValues, datasets: [dataset, closed] })
  await replicas[0]?.program.line(says('policy loaded', { policySeq }))
  const ungranted = await deployment.seal({ dataset: 'closed' })
  const told = await Promise.all(
    [unknown, ungranted].map(async ({ job }) => {
      const { request } = await scene.worker.prepare([job], { platform: GOOD })
      const answer = await scene.worker.service.release(request, UNREAD)
      assert.ok('answers' in answer)
      const [first] = answer.answers
      assert.ok(first !== undefined && 'refusal' in first)
      const { payload } = peekCompact(RefusalFormat, first.refusal, 'verifier.untrusted')
      const { nonce, denialId, ...rest } = payload
      played.push({ code: payload.code, denialId })
      return { length: first.refusal.length, rest }
    }),
  )
  assert.deepEqual(told[0], told[1])
  assert.equal(told[0]?.rest.code, 'permission.none')
  await expectServed()
})

test('an older policy, or one of one person, is put back: what it allowed is refused', async () => {
  const lax = deployment.policy(1, { issuedAt: strictPolicy(deployment, 1).issuedAt + 1 })
  const names = [
    await deployment.putPolicy(lax),
    await deployment.putPolicy(deployment.policy(policySeq + 1), [keySigner(p384())]),
  ]
  // Two whole listings have begun after both were stored.
  for (let listing = 0; listing < 2; listing += 1) await nextListing()
  // A machine without the protections that only the strict policy demands.
  const weak = await endOf([scene.sealed.job], { platform: { idKeyDigest: GOOD.idKeyDigest } })
  assert.match(weak.code, /^(guest-policy|platform-info)\.violated$/)
  played.push(weak)
  const [first] = replicas
  assert.ok(first?.program.lines.some(says('governance object ignored', { name: names[1] })))
  await expectServed()
})

async function nextListing(): Promise<void> {
  const count = async () =>
    (await control.calls())
      .filter(({ call }) => call.includes('GET /n/hospital/b/governance/o'))
      .reduce((sum, each) => sum + each.count, 0)
  const then = await count()
  while ((await count()) < then + 8) await new Promise((resolve) => setTimeout(resolve, 50))
}

test('a replica whose list names the ASK refuses every machine', async () => {
  const { authority } = deployment
  const folder = await temporaryFolder(t)
  await mkdir(join(folder, 'Genoa'))
  const list = crlOf(authority, { thisUpdate: authority.notBefore, revoked: [SERIALS.ask] })
  const files = { 'ark.der': authority.arkDer, 'ask.der': authority.askDer, 'crl.der': list }
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, 'Genoa', name), bytes)
  const path = await deployment.write({ ...deployment.config(), endorsements: { folder } })
  const replica = await startReplica(path)
  replicas.push(replica)
  const worker = workerAt(replica.url)
  const { request } = await worker.prepare([scene.sealed.job], { platform: GOOD })
  const ended = await endOfRequest(request, worker)
  assert.deepEqual(ended, { code: 'chain.revoked', denialId: null })
  played.push(ended)
  await expectServed()
})

test('every attack is in the evidence, and the logs of all replicas are intact', async () => {
  for (const { program } of replicas) program.kill('SIGTERM')
  for (const { program } of replicas) assert.equal(await program.exit, 0)
  const store = (await deployment.user(PROVIDER, 'auditor')).objectStore()
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
  const report = await auditBuckets(buckets, { trust, simulation: true }, store)
  const codes = new Map<string, string | undefined>()
  for (const release of report.releases)
    if (release.kind === 'refused') codes.set(release.denialId, release.reasons[0]?.code)
  for (const { code, denialId } of played)
    if (denialId !== null && code !== 'key.unopened') assert.equal(codes.get(denialId), code)
  const counted = new Map(report.turnedAway.map(({ code, count }) => [String(code), count]))
  for (const code of new Set(played.filter(({ denialId }) => denialId === null).map((each) => each.code)))
    assert.equal(
      counted.get(code),
      played.filter((each) => each.denialId === null && each.code === code).length,
    )
  const withheld = report.releases.flatMap((release) =>
    release.kind === 'allowed' && release.status === 'withheld' ? [release.code] : [],
  )
  assert.deepEqual(withheld, ['key.unopened'])
  // These workers keep no logs, and the policy of a stranger is still stored.
  const findings = new Set(report.findings.map(({ code }) => code))
  assert.deepEqual([...findings].sort(), ['governance.ignored', 'log.missing'])
  assert.deepEqual([...new Set(report.logs.map(({ status }) => status))], ['closed'])
})
