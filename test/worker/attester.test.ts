/**
 * The attester with several addresses of the Verifier. Real TLS servers with genuine certificates: one has the
 * grant key, the other lies.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { createReleaseService } from '#adapters/http/releaseService.ts'
import { createReplicas } from '#adapters/http/replicas.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { bootOf, logOrigin } from '#core/boot/boot.ts'
import { type Registration, registrationName } from '#core/boot/registration.ts'
import { fromBase64url, toBase64url } from '#core/bytes.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import { type Checkpoint, signCheckpoint } from '#core/evidence/checkpoint.ts'
import { Ed25519Jwk, P384Jwk } from '#core/jwk.ts'
import { keySigner, signCompact, signGeneral } from '#core/jws.ts'
import { VerifierKeysFormat } from '#core/policy/verifierKeys.ts'
import { type Grant, GrantKeyFormat } from '#core/release/grant.ts'
import { type Challenge, mintNonce } from '#core/release/nonce.ts'
import { problemOf, signRefusal } from '#core/release/refusal.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import { type RuntimeData, RuntimeDataFormat } from '#core/release/runtimeData.ts'
import { plainMemory } from '#core/secretMemory.ts'
import { toUnixSeconds } from '#core/time.ts'
import type { Clock } from '#ports/clock.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { createAttester } from '../../src/worker/attester.ts'
import { createRegistrations } from '../../src/worker/registrations.ts'
import { VerifierTime } from '../../src/worker/verifierTime.ts'
import { ca, client, listen, problem } from '../adapters/http/tlsServers.ts'
import {
  ed25519,
  freshnessOf,
  jobOf,
  NOW,
  p384,
  signers,
  verifierKeysOf,
  workerKeys,
} from '../core/release/releaseWorld.ts'
import { linesOf } from '../log.ts'
import { ANCHORS, AUDIENCE } from '../verifier/deployment.ts'
import { steerableClock } from '../verifier/steerableClock.ts'
import {
  attestation,
  bucket,
  earlierCa,
  grantingAnswer,
  grantCa as grantingCa,
  verifierBoot,
} from './workerBoot.ts'

const grantCa = keySigner(p384())
const grantKey = keySigner(ed25519())
const keys = verifierKeysOf({ jwk: P384Jwk.parse(grantCa.jwk), keyId: 'ocid1.key.oc1..ca' })
const genuine = {
  verifierKeys: await signGeneral(VerifierKeysFormat, keys, [signers[0], signers[2]]),
  freshness: await freshnessOf(keys),
  grantKey: await signCompact(
    GrantKeyFormat,
    { v: 1 as const, jwk: Ed25519Jwk.parse(grantKey.jwk), nbf: NOW - 60, exp: NOW + 86_400 },
    grantCa,
  ),
}
const DENIAL = { code: 'measurement.unknown', denialId: 'ab'.repeat(16) } as const

function challengeOf(changes: Partial<Challenge> = {}): Challenge {
  const nonce = mintNonce(
    { epoch: 1, key: Buffer.alloc(32, 1) },
    AUDIENCE,
    toUnixSeconds(NOW),
    randomBytes(16),
  )
  return { nonce: toBase64url(nonce), exp: NOW + 300, aud: AUDIENCE, ...changes }
}

type Release = (
  nonce: Buffer,
  runtimeData: RuntimeData,
) => Promise<{ readonly status: number; readonly body: object }>
const answering =
  (body: object, status = 200): Release =>
  async () => ({ status, body })
const accepting = answering({ ...genuine, earlierKeys: [], answers: [] })

/** Counts its releases. */
async function verifier(t: TestContext, release: Release = accepting, changes: Partial<Challenge> = {}) {
  const releases: string[] = []
  const url = await listen(t, async (incoming, outgoing) => {
    let text = ''
    for await (const chunk of incoming) text += String(chunk)
    if (incoming.url === '/v1/challenges') {
      outgoing.end(JSON.stringify(challengeOf(changes)))
      return
    }
    const runtimeData = fromBase64url(JSON.parse(text).runtimeData)
    const decoded = RuntimeDataFormat.decode(runtimeData)
    const { nonce } = decoded
    releases.push(nonce)
    const { status, body } = await release(fromBase64url(nonce), decoded)
    outgoing.writeHead(status).end(JSON.stringify(body))
  })
  return { url, releases }
}

function attesterOf(
  t: TestContext,
  urls: readonly string[],
  {
    fails = false,
    clock = systemClock,
    jobs = [],
    store = { readAll: async () => assert.fail('no registration is read') },
  }: {
    fails?: boolean
    clock?: Clock
    jobs?: readonly ReleaseJob[]
    store?: Pick<ObjectStore, 'readAll'>
  } = {},
) {
  const { log } = linesOf()
  const tls = { ca: ca.pem, crl: [ca.crl], ...client }
  const service = createReplicas(
    urls,
    (url) => createReleaseService({ url, tls: () => tls, timeoutMs: 5000 }),
    { clock, log },
  )
  t.after(() => service.close())
  const { evidenceKey, evidenceSigner } = workerKeys()
  const time = new VerifierTime(() => 0)
  let reports = 0
  const attester = createAttester({
    service,
    reports: {
      kind: 'socket',
      getReport: async () => {
        reports += 1
        if (fails) throw new CodedError('sev.busy', 'the firmware is busy')
        return { report: Buffer.alloc(1184), certs: [] }
      },
      lost: () => undefined,
    },
    signer: keySigner(p384()),
    asker: { client: 'acme', purpose: 'HRESCH' },
    audience: AUDIENCE,
    anchors: { ...ANCHORS, workloads: [] },
    trust: randomBytes(32),
    evidenceSigner,
    boot: bootOf(evidenceKey),
    software: 'test/1',
    granted: new VerifierTime(() => 0),
    time,
    memory: plainMemory,
    registrations: createRegistrations(store, bucket('registrations')),
  })
  const { signal } = new AbortController()
  const ask = async () => attester.ask(await attester.challenge(signal), jobs, signal)
  return { ask, service, time, reports: () => reports }
}

const stranger = keySigner(generateKeyPairSync('ed25519').privateKey)
const lies: readonly (readonly [string, Release, Partial<Challenge>?])[] = [
  ['refuses without a signature', answering(problemOf(DENIAL.code, DENIAL.denialId), 403)],
  ['asks without a signature for a new challenge', answering(JSON.parse(problem('nonce.spent')), 403)],
  [
    'refuses with a signature of its own',
    async (nonce) => {
      const refusal = await signRefusal(DENIAL, { nonce, job: null }, stranger)
      return { status: 403, body: { ...problemOf(DENIAL.code, DENIAL.denialId), ...genuine, refusal } }
    },
  ],
  ['has no grant key', answering({ ...genuine, grantKey: 'a.b.c', earlierKeys: [], answers: [] })],
  [
    'answers more than was asked',
    answering({ ...genuine, earlierKeys: [], answers: [{ refusal: 'a.b.c' }] }),
  ],
  [
    'leaves the freshness statement out',
    answering({ ...genuine, freshness: undefined, earlierKeys: [], answers: [] }),
  ],
  ['answers something else', answering({})],
  ['challenges for another audience', accepting, { aud: 'https://other.example' }],
]

for (const [name, release, changes] of lies) {
  test(`an address that ${name} rests, and the next one is asked at once`, async (t) => {
    const [liar, good] = [await verifier(t, release, changes), await verifier(t)]
    const { ask, service } = attesterOf(t, [liar.url, good.url])
    assert.deepEqual(await ask(), [])
    assert.equal(good.releases.length, 1)
    assert.ok(!liar.releases.includes(good.releases[0] ?? ''), 'a nonce was used twice')
    assert.deepEqual(
      service.resting().map(({ rests }) => rests),
      [true, false],
    )
  })

  test(`an only address that ${name} is asked once, and decides nothing`, async (t) => {
    const liar = await verifier(t, release, changes)
    const { ask } = attesterOf(t, [liar.url])
    await assert.rejects(ask(), (error) => codeOf(error) !== DENIAL.code)
    assert.equal(liar.releases.length, changes === undefined ? 1 : 0)
  })
}

test('a lie says more than the outage of the other address', async (t) => {
  const liar = await verifier(t, lies[0]?.[1])
  const { ask } = attesterOf(t, [liar.url, 'https://127.0.0.1:1'])
  await assert.rejects(ask(), { code: 'refusal.unsigned' })
  assert.equal(liar.releases.length, 1)
})

test('liars that take their time are asked once each', async (t) => {
  const clock = steerableClock()
  const slow: Release = async () => {
    clock.pass(600)
    return { status: 200, body: {} }
  }
  const [first, second] = [await verifier(t, slow), await verifier(t, slow)]
  const { ask } = attesterOf(t, [first.url, second.url], { clock })
  await assert.rejects(ask(), { code: 'verifier.untrusted' })
  assert.equal(first.releases.length + second.releases.length, 2)
})

test('a signed refusal is the answer, whatever time an address has stated', async (t) => {
  const refusing = await verifier(t, async (nonce) => {
    const refusal = await signRefusal(DENIAL, { nonce, job: null }, grantKey)
    return { status: 403, body: { ...problemOf(DENIAL.code, DENIAL.denialId), ...genuine, refusal } }
  })
  const other = await verifier(t)
  const { ask, service, time } = attesterOf(t, [refusing.url, other.url])
  time.observe(toUnixSeconds(NOW + 10 * 365 * 86_400))
  await assert.rejects(ask(), { name: 'RequestRefused', code: DENIAL.code })
  assert.deepEqual(other.releases, [])
  assert.ok(service.resting().every(({ rests }) => !rests))
})

test('what fails in this machine is no fault of an address', async (t) => {
  const [first, second] = [await verifier(t), await verifier(t)]
  const { ask, service, reports } = attesterOf(t, [first.url, second.url], { fails: true })
  await assert.rejects(ask(), { code: 'sev.busy' })
  assert.equal(service.failures(), 0)
  assert.equal(reports(), 1)
})

/** Grants the job under a log that is as it should be, but for the changes. */
async function recorded(changes: {
  readonly log?: Partial<Grant['log']>
  readonly checkpoint?: Partial<Checkpoint>
  readonly signedBy?: KeyObject
  readonly registration?: Partial<Registration> | 'none' | 'a stranger’s' | 'another’s' | 'of before'
}) {
  const job = await jobOf()
  const { registration = {} } = changes
  const own = await verifierBoot(
    typeof registration === 'string' ? {} : registration,
    registration === 'of before' ? earlierCa : undefined,
  )
  const checkpoint = {
    origin: logOrigin(own.role, own.boot),
    size: 4,
    root: Buffer.alloc(32),
    ...changes.checkpoint,
  }
  const log = {
    boot: own.boot,
    checkpoint: signCheckpoint(checkpoint, changes.signedBy ?? own.privateKey),
    index: 3,
    ...changes.log,
  }
  const stored = async () => {
    if (registration === 'a stranger’s') return 'a.b.c'
    return registration === 'another’s' ? (await verifierBoot()).registration : own.registration
  }
  const text = await stored()
  const store: Pick<ObjectStore, 'readAll'> = {
    readAll: async ({ name }) => {
      if (registration === 'none') throw new CodedError('service.missing', 'no such object')
      assert.equal(name, registrationName(log.boot))
      return Buffer.from(text)
    },
  }
  const release: Release = async (nonce, { wrapKey, boot }) => ({
    status: 200,
    body: await grantingAnswer({ nonce, wrapKey, boot, job }, log, [grantingCa, earlierCa]),
  })
  return { release, store, jobs: [job] }
}

test('a grant is used if the checkpoint of a registered Verifier covers its decision', async (t) => {
  const { release, ...options } = await recorded({})
  const { ask } = attesterOf(t, [(await verifier(t, release)).url], options)
  assert.deepEqual(
    (await ask()).map(({ kind }) => kind),
    ['granted'],
  )
})

for (const [name, changes] of [
  ['does not cover its decision', { log: { index: 4 } }],
  ['is no note', { log: { checkpoint: 'a note' } }],
  ['is signed by another key', { signedBy: generateKeyPairSync('ed25519').privateKey }],
  ['is of another log', { checkpoint: { origin: 'confidential-worker/verifier/other' } }],
  ['is of a worker’s log', { registration: { role: 'worker', attestation } }],
  ['is of a log without a registration', { registration: 'none' }],
  ['is of a log that no grant CA registered', { registration: 'a stranger’s' }],
  ['is of a log that only a grant CA of before registered', { registration: 'of before' }],
  ['is of a log under the registration of another', { registration: 'another’s' }],
] as const)
  test(`no key is opened under a grant whose checkpoint ${name}: the next address is asked`, async (t) => {
    const { release, ...options } = await recorded(changes)
    const [liar, other] = [await verifier(t, release), await verifier(t, release)]
    const { ask, service } = attesterOf(t, [liar.url, other.url], options)
    await assert.rejects(ask(), { code: 'grant.invalid' })
    assert.equal(liar.releases.length + other.releases.length, 2)
    assert.ok(service.resting().every(({ rests }) => rests))
  })

test('a bucket of registrations that does not answer is no fault of an address', async (t) => {
  const { release, jobs } = await recorded({})
  const store = {
    readAll: async () => {
      throw new CodedError('service.unavailable', 'an outage')
    },
  }
  const [first, second] = [await verifier(t, release), await verifier(t, release)]
  const { ask, service } = attesterOf(t, [first.url, second.url], { jobs, store })
  await assert.rejects(ask(), { code: 'service.unavailable' })
  assert.ok(service.resting().every(({ rests }) => !rests))
})
