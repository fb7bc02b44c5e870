import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { systemClock } from '#adapters/system/clock.ts'
import { bootOf, logOrigin } from '#core/boot/boot.ts'
import { type Registration, RegistrationFormat, registrationName } from '#core/boot/registration.ts'
import { sha256, toBase64url, toHex, utf8 } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { exportJwk, thumbprint } from '#core/jwk.ts'
import { keySigner, signCompact } from '#core/jws.ts'
import { signDocument } from '#core/policy/document.ts'
import { REVOCATION, type Revocation } from '#core/policy/revocation.ts'
import { VERIFIER_KEYS, type VerifierKeys } from '#core/policy/verifierKeys.ts'
import { nodeCipher } from '#core/sealed/cipher.ts'
import { manifestName, partName, ResultManifestFormat } from '#core/sealed/manifest.ts'
import { sealResult } from '#core/sealed/result.ts'
import { plainMemory } from '#core/secretMemory.ts'
import type { Emulator } from '#lab/emulator/emulator.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { signers } from '../../core/evidence/collectionBuilder.ts'
import { revocationOf, verifierKeysOf } from '../../core/release/releaseWorld.ts'
import { CONSUMER_NAMESPACE, id, PROVIDER_NAMESPACE } from '../../lab/emulator/testEmulator.ts'
import { cosignedNote, permitBy, testVerifier } from '../../witnessing.ts'
import { managerOf, startServices } from '../emulatedServices.ts'
import { cli, expectFailure } from '../process.ts'

/** Leaves a worker's result: parts, and a manifest of a boot that the provider registered. */
async function leaveResult(
  t: TestContext,
  emulator: Emulator,
  content: Buffer,
  change: {
    readonly unregistered?: boolean
    readonly unpermitted?: boolean
    readonly badPart?: boolean
    readonly keys?: Partial<VerifierKeys>
  } = {},
) {
  const provider = managerOf(t, emulator, 'provider')
  const consumer = managerOf(t, emulator, 'consumer')
  const now = systemClock.now()
  const ca = keySigner(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)
  const privateKey = generateKeyPairSync('ed25519').privateKey
  const evidenceKey = keySigner(privateKey)
  const verifier = testVerifier(now)
  assert(ca.jwk.kty === 'EC' && evidenceKey.jwk.kty === 'OKP')
  const boot = bootOf(evidenceKey.jwk)
  const keys = verifierKeysOf(
    { jwk: ca.jwk, keyId: id('key', 'grant-ca') },
    { issuedAt: now, exp: now + 1000, ...change.keys },
  )
  const document = await signDocument(VERIFIER_KEYS, keys, signers)
  const put = (store: ObjectStore, namespace: string, bucket: string, name: string, bytes: Buffer) =>
    store.create({ namespace, bucket, name }, bytes)
  await put(provider.store, PROVIDER_NAMESPACE, 'governance', document.name, canonicalBytes(document.signed))
  const digest = toBase64url(sha256(utf8('x')))
  const registration: Registration = {
    v: 1,
    role: 'worker',
    boot,
    origin: logOrigin('worker', boot),
    key: evidenceKey.jwk,
    attestation: {
      runtimeDataDigest: digest,
      reportDigest: digest,
      measurement: 'ab'.repeat(48),
      reference: 'release-1',
      assurance: 'measured' as const,
      client: 'research',
    },
    simulation: true,
    time: now,
  }
  for (const each of change.unregistered === true ? [] : [registration, verifier.registration])
    await put(
      provider.store,
      PROVIDER_NAMESPACE,
      'evidence-verifier',
      registrationName(each.boot),
      utf8(await signCompact(RegistrationFormat, each, ca)),
    )
  const resultKey = await consumer.vault.publicKey(id('key', 'result'))
  const recipient = exportJwk(resultKey.key)
  assert(recipient.kty === 'RSA')
  const resultId = toHex(randomBytes(32))
  const attempt = toHex(randomBytes(16))
  const sealed = sealResult({
    resultId,
    recipient,
    chunks: [content],
    size: content.byteLength,
    cipher: nodeCipher,
    memory: plainMemory,
  })
  const parts = []
  let contentDigest = ''
  for await (const part of sealed.parts) {
    const bytes = Buffer.from(part.bytes)
    if (change.badPart === true) bytes[100] = (bytes[100] ?? 0) ^ 1
    await put(consumer.store, CONSUMER_NAMESPACE, 'results', partName(resultId, attempt, part.part), bytes)
    parts.push({ size: bytes.byteLength, digest: toBase64url(part.digest) })
    contentDigest = toBase64url(part.contentDigest)
  }
  const permit = {
    resultId,
    attempt,
    contentDigest,
    outputDigest: digest,
    boot,
    intentIndex: 1,
    size: change.unpermitted === true ? 3 : 2,
    iat: now,
  }
  const manifest = await signCompact(
    ResultManifestFormat,
    {
      v: 1,
      resultId,
      attempt,
      boot,
      parts,
      contentDigest,
      contentType: 'application/json',
      wrappedDek: toBase64url(sealed.wrappedDek),
      recipient: {
        keyId: id('key', 'result'),
        keyVersionId: resultKey.keyVersionId,
        thumbprint: thumbprint(recipient),
      },
      releaseId: toHex(randomBytes(16)),
      traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
      grantDigest: digest,
      termsDigest: digest,
      headerDigests: [digest],
      workload: { name: 'fhir-summary', digest },
      simulation: true,
      committedAt: now,
      verifierCheckpoint: 'note',
      workerCheckpoint: cosignedNote({ boot, key: privateKey }, verifier, 2, now),
      intentIndex: 1,
      ...(await permitBy(ca, permit)),
    },
    evidenceKey,
  )
  await put(consumer.store, CONSUMER_NAMESPACE, 'results', manifestName(resultId), utf8(manifest))
  return { resultId, boot }
}

test('a result is listed, verified and opened, and overwrites nothing', async (t) => {
  const { emulator, folder, configs } = await startServices(t)
  const content = randomBytes(300_000)
  const { resultId, boot } = await leaveResult(t, emulator, content)
  const listed = await cli('open', '--list', '--config', configs.open, '--json')
  assert.deepEqual(JSON.parse(listed.stdout), { resultId })
  const out = join(folder, 'result.bin')
  const opened = await cli('open', resultId, '--config', configs.open, '--out', out, '--json')
  assert.equal(opened.code, 0, opened.stderr)
  const { committedAt, ...rest } = JSON.parse(opened.stdout)
  assert.deepEqual(rest, {
    resultId,
    file: out,
    size: content.byteLength,
    contentType: 'application/json',
    workload: 'fhir-summary',
    boot,
    simulation: true,
    revokedAt: null,
  })
  assert.deepEqual(await readFile(out), content)
  expectFailure(await cli('open', resultId, '--config', configs.open, '--out', out), 'output.exists', 2)

  // A copy of the provider's objects replaces the buckets.
  const copies = join(folder, 'evidence')
  const exported = await cli('evidence', 'export', '--config', configs.audit, '--out', copies, '--json')
  assert.equal(exported.code, 0, exported.stderr)
  const { copied } = JSON.parse(exported.stdout)
  assert.deepEqual(copied, { governance: 1, 'evidence-verifier': 2, 'evidence-worker': 0, results: 1 })
  const again = await cli('evidence', 'export', '--config', configs.audit, '--out', copies, '--json')
  assert.deepEqual(JSON.parse(again.stdout).kept, copied)
  await rm(out)
  const folderOpened = await cli(
    'open',
    resultId,
    '--config',
    configs.open,
    '--out',
    out,
    '--evidence',
    copies,
  )
  assert.equal(folderOpened.code, 0, folderOpened.stderr)
  assert.match(folderOpened.stdout, /^SIMULATED /)
  expectFailure(await cli('evidence', 'verify', copies), 'input.unreadable', 2)
})

test('a result opens only under the pin and its own name; a failure leaves no file', async (t) => {
  const { emulator, folder, configs } = await startServices(t)
  const { resultId } = await leaveResult(t, emulator, Buffer.from('{}'))
  const out = join(folder, 'out')
  const open = (result: string, config: string) => cli('open', result, '--config', config, '--out', out)
  const strangers = ['eve', 'mallory'].map((person) => ({
    person,
    jwk: exportJwk(generateKeyPairSync('ed25519').publicKey),
  }))
  const config = JSON.parse(await readFile(configs.open, 'utf8'))
  const trust = { ...config.trust, providerRoot: { keys: strangers, threshold: 2 } }
  const otherRoot = join(folder, 'root.json')
  await writeFile(otherRoot, JSON.stringify({ ...config, trust }))
  const before = await readdir(folder)
  expectFailure(await open(resultId, otherRoot), 'evidence.inconsistent', 1)
  expectFailure(await open('ab'.repeat(32), configs.open), 'service.missing', 1)
  expectFailure(await open('../../etc', configs.open), 'usage.invalid', 2)
  assert.deepEqual(await readdir(folder), before)
})

const UNOPENED = [
  ['of an unregistered boot', { unregistered: true }, 'result.foreign'],
  [
    'whose keys are for other Verifiers',
    { keys: { audience: 'https://a.example' } },
    'evidence.inconsistent',
  ],
  ['whose keys are of another provider', { keys: { tenant: 'clinic' } }, 'evidence.inconsistent'],
  ['that the Verifier has not permitted', { unpermitted: true }, 'result.foreign'],
  ['with a part that the manifest does not name', { badPart: true }, 'object.unopened'],
] as const
for (const [name, change, code] of UNOPENED)
  test(`a result ${name} does not open`, async (t) => {
    const { emulator, folder, configs } = await startServices(t)
    const { resultId } = await leaveResult(t, emulator, randomBytes(1000), change)
    const before = await readdir(folder)
    const out = join(folder, 'out')
    expectFailure(await cli('open', resultId, '--config', configs.open, '--out', out), code, 1)
    assert.deepEqual(await readdir(folder), before)
  })

test('a result of a revoked worker opens only with --revoked, which says so', async (t) => {
  const { emulator, folder, configs } = await startServices(t)
  const { resultId, boot } = await leaveResult(t, emulator, Buffer.from('{}'))
  const { store } = managerOf(t, emulator, 'provider')
  const publish = async (list: Partial<Revocation>, by = signers) => {
    const { name, signed } = await signDocument(REVOCATION, revocationOf(list), by)
    await store.create({ namespace: PROVIDER_NAMESPACE, bucket: 'governance', name }, canonicalBytes(signed))
    const { payload } = signed
    return toBase64url(sha256(Buffer.from(payload, 'base64url')))
  }
  let count = 0
  const open = (...more: string[]) => {
    const out = join(folder, `out-${count++}`)
    return cli('open', resultId, '--config', configs.open, '--out', out, ...more)
  }
  const by = signers.slice(0, 1)
  // Neither another worker's, nor for another provider, nor by a stranger.
  await publish({ seq: 1, boots: ['a'.repeat(26)] }, by)
  await publish({ seq: 2, boots: [boot], tenant: 'clinic' }, by)
  await publish({ seq: 3, boots: [boot] }, [keySigner(generateKeyPairSync('ed25519').privateKey)])
  assert.equal((await open()).code, 0)

  const issuedAt = 1_700_000_000
  await publish({ seq: 5, boots: [boot], issuedAt: issuedAt + 9 }, by)
  const digest = await publish({ seq: 4, boots: [boot], issuedAt }, by)
  const before = await readdir(folder)
  const refused = await open()
  expectFailure(refused, 'result.revoked', 1)
  assert.match(refused.stderr, new RegExp(`worker ${boot} was revoked at 2023-11-14T22:13:20Z`))
  assert.deepEqual(await readdir(folder), before)
  const opened = await open('--revoked', '--json')
  assert.equal(JSON.parse(opened.stdout).revokedAt, issuedAt)
  assert.match((await open('--revoked')).stdout, /^REVOKED {4}the worker, at 2023-11-14T22:13:20Z: /m)

  // One signer cannot take it back, the quorum can, list by list.
  await publish({ seq: 6, replaces: [digest] }, by)
  assert.equal(JSON.parse((await open('--revoked', '--json')).stdout).revokedAt, issuedAt)
  await publish({ seq: 7, replaces: [digest] })
  assert.equal(JSON.parse((await open('--revoked', '--json')).stdout).revokedAt, issuedAt + 9)
})
