import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { bootOf, logOrigin } from '#core/boot/boot.ts'
import type { Registration } from '#core/boot/registration.ts'
import { signCheckpoint } from '#core/evidence/checkpoint.ts'
import { claimedBoots, type ManifestTrust, openManifest } from '#core/evidence/manifest.ts'
import { exportJwk, P384Jwk } from '#core/jwk.ts'
import { keySigner, type Signer, signCompact } from '#core/jws.ts'
import { manifestDigest, type ResultManifest, ResultManifestFormat } from '#core/sealed/manifest.ts'
import { cosignedNote, permitBy, testVerifier } from '../../witnessing.ts'

const DIGEST = 'A'.repeat(43)
const RESULT = 'ab'.repeat(32)
const ID = '0'.repeat(32)

const newBoot = (change: Partial<Registration> = {}) => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = exportJwk(privateKey)
  assert(key.kty === 'OKP')
  const boot = bootOf(key)
  const registration: Registration = {
    v: 1,
    role: 'worker',
    boot,
    origin: logOrigin('worker', boot),
    key,
    attestation: null,
    simulation: false,
    time: 0,
    ...change,
  }
  return { boot, key: privateKey, signer: keySigner(privateKey), registration }
}
const TIME = 1_800_000_000
const grantCa = keySigner(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)
const grantCas = [{ jwk: P384Jwk.parse(grantCa.jwk), exp: TIME + 1000 }]
const verifier = testVerifier(TIME)
const worker = newBoot()
const other = newBoot()
const PERMIT = {
  resultId: RESULT,
  attempt: ID,
  contentDigest: DIGEST,
  outputDigest: DIGEST,
  boot: worker.boot,
  intentIndex: 4,
  size: 5,
  iat: TIME,
}
const permitted = await permitBy(grantCa, PERMIT)
const CHECKPOINT = { origin: logOrigin('worker', worker.boot), size: 5, root: Buffer.alloc(32, 5) }
const cosigned = cosignedNote(worker, verifier, 5, TIME)

const manifestBy = (boot: string, signer: Signer, change: Partial<ResultManifest> = {}) =>
  signCompact<ResultManifest>(
    ResultManifestFormat,
    {
      v: 1,
      resultId: RESULT,
      attempt: ID,
      traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
      boot,
      parts: [{ size: 1, digest: DIGEST }],
      contentDigest: DIGEST,
      contentType: 'application/json',
      wrappedDek: 'A'.repeat(342),
      recipient: { keyId: 'ocid1.key.a', keyVersionId: 'ocid1.keyversion.a', thumbprint: DIGEST },
      releaseId: ID,
      grantDigest: DIGEST,
      termsDigest: DIGEST,
      headerDigests: [DIGEST],
      workload: { name: 'summary', digest: DIGEST },
      simulation: false,
      committedAt: 0,
      verifierCheckpoint: 'note',
      workerCheckpoint: cosigned,
      intentIndex: 4,
      ...permitted,
      ...change,
    },
    signer,
  )
const trustIn = (registration: Registration | undefined): ManifestTrust => ({
  worker: registration,
  verifier: verifier.registration,
  grantCas,
})
const good = await manifestBy(worker.boot, worker.signer)

test('opens the manifest of a registered worker that the Verifier permitted', () => {
  assert.deepEqual(claimedBoots(good), { worker: worker.boot, verifier: verifier.boot })
  const { manifest, permit, digest } = openManifest(good, RESULT, trustIn(worker.registration))
  assert.equal(manifest.resultId, RESULT)
  assert.deepEqual(permit, { v: 1, ...PERMIT })
  assert.equal(digest, manifestDigest(good))
})

const verifierBoot = newBoot({ role: 'verifier' })

const foreign: readonly (readonly [
  why: string,
  jws: string,
  registration: Registration | undefined,
  message: RegExp,
])[] = [
  ['without a registration', good, undefined, /is not registered$/],
  ['with the registration of another boot', good, other.registration, /not by a trusted key/],
  [
    'signed by a Verifier',
    await manifestBy(verifierBoot.boot, verifierBoot.signer),
    verifierBoot.registration,
    /^the manifest is by the verifier/,
  ],
  [
    'signed by the key of another boot',
    await manifestBy(worker.boot, other.signer),
    worker.registration,
    /not by a trusted key/,
  ],
  [
    'that names another boot',
    await manifestBy(other.boot, worker.signer),
    worker.registration,
    /^the manifest names the boot/,
  ],
  [
    'about another result',
    await manifestBy(worker.boot, worker.signer, { resultId: 'cd'.repeat(32) }),
    worker.registration,
    /^the manifest is of result (?:cd){32}, expected (?:ab){32}$/,
  ],
  ['with a changed signature', `${good.slice(0, -3)}AAA`, worker.registration, /./],
]
for (const [why, jws, registration, message] of foreign)
  test(`refuses a manifest ${why}`, () =>
    assert.throws(() => openManifest(jws, RESULT, trustIn(registration)), {
      code: 'result.foreign',
      message,
    }))

const changed = (field: keyof typeof PERMIT, value: string | number) =>
  permitBy(grantCa, { ...PERMIT, [field]: value })
const stranger = keySigner(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)
const unwitnessed: readonly (readonly [
  why: string,
  change: Partial<ResultManifest>,
  trust?: Partial<ManifestTrust>,
])[] = [
  ['without a cosignature', { workerCheckpoint: signCheckpoint(CHECKPOINT, worker.key) }],
  ['whose checkpoint is no note', { workerCheckpoint: 'note' }],
  ['with a cosignature of no registered boot', {}, { verifier: undefined }],
  [
    'with a cosignature by a worker',
    { workerCheckpoint: cosignedNote(worker, other, 5, TIME) },
    { verifier: other.registration },
  ],
  [
    'with a cosignature by another Verifier',
    { workerCheckpoint: cosignedNote(worker, testVerifier(TIME), 5, TIME) },
  ],
  [
    'with a cosignature under the name of the Verifier',
    { workerCheckpoint: cosignedNote(worker, { ...verifier, key: other.key }, 5, TIME) },
  ],
  [
    "with a cosigned checkpoint of another worker's log",
    { workerCheckpoint: cosignedNote(other, verifier, 5, TIME) },
  ],
  [
    'whose cosigned checkpoint is not the permitted one',
    { workerCheckpoint: cosignedNote(worker, verifier, 6, TIME) },
  ],
  ['with a permit of another result', await changed('resultId', 'cd'.repeat(32))],
  ['with a permit of another attempt', await changed('attempt', '1'.repeat(32))],
  ['with a permit of other content', await changed('contentDigest', `${'B'.repeat(42)}A`)],
  ['with a permit of another boot', await changed('boot', other.boot)],
  ['with a permit of another intent', await changed('intentIndex', 3)],
  ['with a permit by a key that is not certified', await permitBy(stranger, PERMIT)],
  ['with a permit by another key than the certified one', await permitBy(grantCa, PERMIT, worker.signer)],
  [
    'with a permit after the end of its grant key',
    { ...(await permitBy(grantCa, { ...PERMIT, iat: TIME + 90_000 })), permitKey: permitted.permitKey },
  ],
  [
    'with a permit before its grant key',
    { ...(await permitBy(grantCa, { ...PERMIT, iat: TIME - 90_000 })), permitKey: permitted.permitKey },
  ],
  [
    'with a permit after the end of its grant CA',
    {},
    { grantCas: [{ jwk: P384Jwk.parse(grantCa.jwk), exp: TIME }] },
  ],
  ['of a provider without grant CAs', {}, { grantCas: [] }],
]
for (const [why, change, trust] of unwitnessed)
  test(`refuses a manifest ${why}`, async () => {
    const jws = await manifestBy(worker.boot, worker.signer, change)
    const changedTrust = { ...trustIn(worker.registration), ...trust }
    assert.throws(() => openManifest(jws, RESULT, changedTrust), { code: 'result.foreign' })
  })

test('refuses a manifest whose intent is not under the cosigned checkpoint', async () => {
  const permit = await permitBy(grantCa, { ...PERMIT, intentIndex: 5 })
  const jws = await manifestBy(worker.boot, worker.signer, { ...permit, intentIndex: 5 })
  assert.throws(() => openManifest(jws, RESULT, trustIn(worker.registration)), { code: 'result.foreign' })
})

test('a text that is not a manifest is malformed', () => {
  const code = 'record.malformed'
  assert.throws(() => claimedBoots('a.b.c'), { code })
})
