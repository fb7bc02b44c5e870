import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, truncate, watch, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createOci } from '#adapters/oci/clients.ts'
import { OciConfig } from '#adapters/oci/config.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { bootOf, logOrigin } from '#core/boot/boot.ts'
import { RegistrationFormat, registrationName } from '#core/boot/registration.ts'
import { sha256, toBase64url, toHex, utf8 } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { exportJwk, thumbprint } from '#core/jwk.ts'
import { keySigner, peekCompact, signCompact, signGeneral } from '#core/jws.ts'
import { VerifierKeysFormat, verifierKeysName } from '#core/policy/verifierKeys.ts'
import { nodeCipher } from '#core/sealed/cipher.ts'
import { SealHeaderFormat, sealAssociatedData } from '#core/sealed/header.ts'
import { manifestName, partName, ResultManifestFormat } from '#core/sealed/manifest.ts'
import { openObject, readSealHeader } from '#core/sealed/object.ts'
import { SealRecordFormat } from '#core/sealed/record.ts'
import { sealResult } from '#core/sealed/result.ts'
import { plainMemory } from '#core/secretMemory.ts'
import type { Emulator } from '#lab/emulator/emulator.ts'
import type { KeyVault } from '#ports/keyVault.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { providerRoot, signers } from '../core/evidence/collectionBuilder.ts'
import {
  CONSUMER_NAMESPACE,
  emulatorFor,
  id,
  PROVIDER,
  PROVIDER_NAMESPACE,
  temporaryFolder,
  testConfig,
} from '../lab/emulator/testEmulator.ts'
import { cli, type Outcome, startCli, writeConfigs } from './process.ts'

/** Whoever may do everything in both tenancies: the rest of the pipeline, for these tests. */
const ALMIGHTY = 'manager'

async function setUp(t: TestContext) {
  const world = testConfig({
    change: (w) => {
      w.eventRules.splice(0)
      for (const { id: tenancyId } of w.tenancies) {
        const name = `${ALMIGHTY}-${tenancyId === PROVIDER ? 'provider' : 'consumer'}`
        w.instances.push({
          id: id('instance', name),
          name,
          compartmentId: tenancyId,
          imdsPort: 0,
        })
        w.dynamicGroups.push({
          id: id('dynamicgroup', name),
          name,
          tenancyId,
          rule: `ALL {instance.id = '${id('instance', name)}'}`,
        })
        const policy = w.policies.find((policy) => policy.tenancyId === tenancyId)
        if (policy !== undefined)
          policy.statements += `\nAllow dynamic-group ${name} to {OBJECT_CREATE, OBJECT_READ, OBJECT_INSPECT, KEY_READ, KEY_DECRYPT, KEY_ENCRYPT} in tenancy\n`
      }
    },
  })
  const emulator = await emulatorFor(t, world)
  const folder = await temporaryFolder(t)
  const configs = await writeConfigs(folder, emulator, providerRoot)
  return { emulator, folder, configs }
}

function almighty(
  t: TestContext,
  emulator: Emulator,
  side: 'provider' | 'consumer',
): { readonly store: ObjectStore; readonly vault: KeyVault } {
  const { endpoint } = emulator
  const oci = createOci(
    OciConfig.parse({
      principal: {
        kind: 'instance',
        metadataUrl: emulator.imds[id('instance', `${ALMIGHTY}-${side}`)],
        federationUrl: endpoint,
      },
      endpoints: { objectStorage: endpoint, vaultCrypto: endpoint, vaultManagement: endpoint },
    }),
    { allowPlainHttp: true, clock: systemClock },
  )
  t.after(() => oci.close())
  return { store: oci.objectStore(), vault: oci.keyVault() }
}

function expectFailure(outcome: Outcome, code: string, exit: number): void {
  assert.equal(outcome.stdout, '')
  assert.match(outcome.stderr, new RegExp(`^error: [^A-Z\n][^\n]*[^.\n] \\(${code.replace('.', '\\.')}\\)\n`))
  assert.equal(outcome.code, exit)
}

test('what is sealed is uploaded, recorded, and opens to the same bytes', async (t) => {
  const { emulator, folder, configs } = await setUp(t)
  const file = join(folder, 'export.ndjson')
  const content = randomBytes(700_000)
  await writeFile(file, content)
  const sealed = await cli('seal', file, '--config', configs.seal, '--json')
  assert.equal(sealed.code, 0, sealed.stderr)
  const { sealId, object, size, sealedSize, file: out } = JSON.parse(sealed.stdout)
  assert.deepEqual([out, object, size], [`${file}.sealed`, sealId, content.byteLength])
  const bytes = await readFile(out)
  assert.equal(bytes.byteLength, sealedSize)

  // Again: the output is there, and stays as it is.
  expectFailure(await cli('seal', file, '--config', configs.seal), 'output.exists', 2)
  assert.deepEqual(await readFile(out), bytes)

  const uploaded = await cli('upload', out, '--config', configs.seal, '--json')
  assert.equal(uploaded.code, 0, uploaded.stderr)
  const { etag, record, objectDigest } = JSON.parse(uploaded.stdout)
  assert.equal(objectDigest, createHash('sha256').update(bytes).digest('base64url'))
  const { store, vault } = almighty(t, emulator, 'provider')
  const stored = { namespace: PROVIDER_NAMESPACE, bucket: 'outbox', name: object }
  assert.equal((await store.head(stored)).etag, etag)
  assert.deepEqual(await store.readAll(stored, 2_000_000), bytes)
  const jws = (await store.readAll({ ...stored, bucket: 'governance', name: record }, 10_000)).toString()
  const { payload } = peekCompact(SealRecordFormat, jws, 'record.malformed')
  assert.deepEqual(
    [payload.sealId, payload.objectDigest, payload.size, payload.etag],
    [sealId, objectDigest, sealedSize, etag],
  )

  // Again: what is there is found to be the same, and nothing is changed.
  const repeated = await cli('upload', out, '--config', configs.seal, '--json')
  assert.deepEqual([repeated.code, JSON.parse(repeated.stdout).etag], [0, etag])

  const { headerJws, offset } = readSealHeader(bytes)
  const header = peekCompact(SealHeaderFormat, headerJws, 'object.malformed').payload
  const wrapped = Buffer.from(header.custody.wrappedDek, 'base64url')
  const dek = await vault.decrypt(id('key', 'dataset'), wrapped, sealAssociatedData(header))
  const chunks = [bytes.subarray(offset)]
  const opened = await Array.fromAsync(openObject({ headerJws, size, dek, chunks, cipher: nodeCipher }))
  assert.deepEqual(Buffer.concat(opened), content)
})

test('a name that is taken by another object, a file that was cut, a file of another key', async (t) => {
  const { folder, configs } = await setUp(t)
  const file = join(folder, 'a')
  await writeFile(file, 'one')
  const seal = (out: string, config = configs.seal) =>
    cli(
      'seal',
      file,
      '--config',
      config,
      '--object',
      'named',
      '--out',
      join(folder, out),
      '--upload',
      '--json',
    )
  assert.equal((await seal('first')).code, 0)
  expectFailure(await seal('second'), 'service.conflict', 1)

  const whole = await readFile(join(folder, 'first'))
  await writeFile(join(folder, 'cut'), whole.subarray(0, -1))
  expectFailure(await cli('upload', join(folder, 'cut'), '--config', configs.seal), 'object.malformed', 2)

  const pem = join(folder, 'key.pem')
  await writeFile(pem, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const other = join(folder, 'other.json')
  const config = JSON.parse(await readFile(configs.seal, 'utf8'))
  await writeFile(other, JSON.stringify({ ...config, sealingKey: { kind: 'file', path: pem } }))
  expectFailure(await cli('upload', join(folder, 'first'), '--config', other), 'object.unsigned', 1)
})

test('where sealing fails, no file is left', async (t) => {
  const { emulator, folder, configs } = await setUp(t)
  const file = join(folder, 'a')
  await writeFile(file, 'one')
  const before = await readdir(folder)
  const seal = (...more: string[]) => cli('seal', file, '--config', configs.seal, ...more)
  expectFailure(await seal('--object', 'Jane Doe'), 'usage.invalid', 2)
  expectFailure(await cli('seal', folder, '--config', configs.seal), 'input.unreadable', 2)
  const fault = { service: 'vault', status: 500, code: 'Down', times: 100 }
  await fetch(`${emulator.endpoint}/emulator/faults`, { method: 'POST', body: JSON.stringify(fault) })
  expectFailure(await seal(), 'service.unavailable', 75)
  assert.deepEqual(await readdir(folder), before)
})

test('a command that is interrupted says so, and leaves no file', async (t) => {
  const { folder, configs } = await setUp(t)
  const [from, to] = [join(folder, 'in'), join(folder, 'out')]
  await mkdir(to)
  await writeFile(from, '')
  await truncate(from, 4 * 2 ** 30)
  const running = startCli('seal', from, '--config', configs.seal, '--out', join(to, 'sealed'))
  // The first that is written is the partial file.
  for await (const _ of watch(to)) break
  running.child.kill('SIGINT')
  expectFailure(await running.ended, 'process.interrupted', 75)
  assert.deepEqual(await readdir(to), [])
})

/** What a worker leaves: parts and a manifest by a boot that the provider has registered. */
async function leaveResult(
  t: TestContext,
  emulator: Emulator,
  content: Buffer,
  change: { readonly unregistered?: boolean; readonly badPart?: boolean } = {},
) {
  const provider = almighty(t, emulator, 'provider')
  const consumer = almighty(t, emulator, 'consumer')
  const now = systemClock.now()
  const ca = keySigner(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)
  const evidenceKey = keySigner(generateKeyPairSync('ed25519').privateKey)
  assert(ca.jwk.kty === 'EC' && evidenceKey.jwk.kty === 'OKP')
  const boot = bootOf(evidenceKey.jwk)
  const keys = {
    v: 1 as const,
    seq: 1,
    exp: now + 1000,
    grantCa: { jwk: ca.jwk, keyId: id('key', 'grant-ca') },
  }
  const put = (store: ObjectStore, namespace: string, bucket: string, name: string, bytes: Buffer) =>
    store.create({ namespace, bucket, name }, bytes)
  await put(
    provider.store,
    PROVIDER_NAMESPACE,
    'governance',
    verifierKeysName(1),
    canonicalBytes(await signGeneral(VerifierKeysFormat, keys, signers)),
  )
  const digest = toBase64url(sha256(utf8('x')))
  const registration = {
    v: 1 as const,
    role: 'worker' as const,
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
  if (change.unregistered !== true)
    await put(
      provider.store,
      PROVIDER_NAMESPACE,
      'evidence-verifier',
      registrationName(boot),
      utf8(await signCompact(RegistrationFormat, registration, ca)),
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
      grantDigest: digest,
      headerDigests: [digest],
      workload: { name: 'fhir-summary', digest },
      simulation: true,
      committedAt: now,
      verifierCheckpoint: 'note',
      workerCheckpoint: 'note',
      intentIndex: 1,
      cosignatures: [],
    },
    evidenceKey,
  )
  await put(consumer.store, CONSUMER_NAMESPACE, 'results', manifestName(resultId), utf8(manifest))
  return { resultId, boot }
}

test('a result is listed, verified and opened; and nothing is overwritten', async (t) => {
  const { emulator, folder, configs } = await setUp(t)
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
  })
  assert.deepEqual(await readFile(out), content)
  expectFailure(await cli('open', resultId, '--config', configs.open, '--out', out), 'output.exists', 2)

  // A copy of the provider's objects does as well as the buckets; and without --simulation the audit says no.
  const copies = join(folder, 'evidence')
  const exported = await cli('evidence', 'export', '--config', configs.audit, '--out', copies, '--json')
  assert.equal(exported.code, 0, exported.stderr)
  const { copied } = JSON.parse(exported.stdout)
  assert.deepEqual(copied, { governance: 1, 'evidence-verifier': 1, 'evidence-worker': 0, results: 1 })
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

test('a result opens only from the pin, and by its own name; else no file is left', async (t) => {
  const { emulator, folder, configs } = await setUp(t)
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
  ['of a boot that nobody registered', { unregistered: true }, 'result.foreign'],
  ['with a part that is not the manifest’s', { badPart: true }, 'object.unopened'],
] as const
for (const [name, change, code] of UNOPENED)
  test(`a result ${name} does not open`, async (t) => {
    const { emulator, folder, configs } = await setUp(t)
    const { resultId } = await leaveResult(t, emulator, randomBytes(1000), change)
    const before = await readdir(folder)
    const out = join(folder, 'out')
    expectFailure(await cli('open', resultId, '--config', configs.open, '--out', out), code, 1)
    assert.deepEqual(await readdir(folder), before)
  })

const TYPED: readonly (readonly [readonly string[], RegExp])[] = [
  [[], /^error: no command is given \(usage\.invalid\)\n {2}remedy: /],
  [['bogus'], /^error: there is no command "bogus" \(usage\.invalid\)/],
  [['seal'], /^error: .*--config.* \(usage\.invalid\)/],
  [['evidence'], /^error: the command is not complete \(usage\.invalid\)/m],
  [['open', '--config', '/dev/null', '--what'], /^error: unknown option '--what' \(usage\.invalid\)/],
]
for (const [parameters, expected] of TYPED)
  test(`"${parameters.join(' ')}" is a wrong command line: 2`, async () => {
    const { code, stdout, stderr } = await cli(...parameters)
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, expected)
  })

test('--help teaches each command: what it does, an example, its exit codes', async () => {
  const { code, stdout } = await cli('--help')
  assert.equal(code, 0)
  for (const name of [
    'seal',
    'upload',
    'open',
    'evidence',
    'report',
    'endorsements',
    'worker',
    'verifier',
    'function',
  ])
    assert.match(stdout, new RegExp(`^ {2}${name}\\b`, 'm'))
  for (const name of ['emulator', 'demo']) assert.doesNotMatch(stdout, new RegExp(`^ {2}${name}\\b`, 'm'))
  const commands = ['seal', 'upload', 'open', 'evidence verify', 'evidence export', 'report verify', 'worker']
  const helps = await Promise.all(commands.map((name) => cli(...name.split(' '), '--help')))
  for (const help of helps) {
    assert.equal(help.code, 0)
    assert.match(help.stdout, /Examples?\n {2}confidential-worker /)
    assert.match(help.stdout, /Exit codes\n/)
  }
})

test('report verify: what is not a report is malformed, in the same JSON as any verdict', async () => {
  const { code, stdout } = await cli('report', 'verify', '--report', import.meta.filename, '--json')
  assert.equal(code, 2)
  const { verdict, reasons } = JSON.parse(stdout)
  assert.equal(verdict, 'refused')
  assert.deepEqual(
    reasons.map((reason: { code: string }) => reason.code),
    ['report.malformed'],
  )
})
