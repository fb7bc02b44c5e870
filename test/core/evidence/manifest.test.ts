import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { bootOf, logOrigin } from '#core/boot/boot.ts'
import type { Registration } from '#core/boot/registration.ts'
import { claimedBoot, openManifest } from '#core/evidence/manifest.ts'
import { exportJwk } from '#core/jwk.ts'
import { keySigner, type Signer, signCompact } from '#core/jws.ts'
import { manifestDigest, type ResultManifest, ResultManifestFormat } from '#core/sealed/manifest.ts'

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
  return { boot, signer: keySigner(privateKey), registration }
}
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
      workerCheckpoint: 'note',
      intentIndex: 0,
      cosignatures: [],
      ...change,
    },
    signer,
  )

const worker = newBoot()
const other = newBoot()
const verifier = newBoot({ role: 'verifier' })
const good = await manifestBy(worker.boot, worker.signer)

test('opens the manifest of a registered worker', () => {
  assert.equal(claimedBoot(good), worker.boot)
  const { manifest, digest } = openManifest(good, RESULT, worker.registration)
  assert.equal(manifest.resultId, RESULT)
  assert.equal(digest, manifestDigest(good))
})

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
    await manifestBy(verifier.boot, verifier.signer),
    verifier.registration,
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
    assert.throws(() => openManifest(jws, RESULT, registration), { code: 'result.foreign', message }))

test('a text that is not a manifest is malformed', () => {
  const code = 'record.malformed'
  assert.throws(() => claimedBoot('a.b.c'), { code })
})
