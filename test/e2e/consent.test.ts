/**
 * A patient withdraws from a running deployment: the next release leaves the patient out, what was committed
 * stays, no single person takes it back, and no log, metric or evidence says who it was.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { utf8 } from '#core/bytes.ts'
import { keySigner } from '#core/jws.ts'
import { ConsentSchema, consentKind } from '#core/policy/consent.ts'
import { publish } from '#lab/demo/governance.ts'
import { CONSUMER, DATASET, KEYS, PROVIDER } from '#lab/demo/names.ts'
import { publishPolicy } from './governor.ts'
import { audit, resultsOf, type SystemUnderTest, startSystem, until, waitForLine } from './systemUnderTest.ts'

/** The threshold of the demo's permission: with one patient less, their cell is not shown. */
const PATIENTS = 11
const WITHDRAWN = 'canary-7f3a9c'
const ALSO = 'canary-20d4e1'

let system: SystemUnderTest
let officer: KeyObject
before(async () => {
  system = await startSystem({ workers: 1 })
  officer = generateKeyPairSync('ed25519').privateKey
  const pem = officer.export({ type: 'pkcs8', format: 'pem' })
  await writeFile(keyFile(), pem, { mode: 0o600 })
  const config = JSON.parse(await readFile(system.deployment.configOf('privacy'), 'utf8'))
  const buckets = { ...config.buckets, freshness: 'freshness' }
  await writeFile(configFile(), JSON.stringify({ ...config, buckets }))
})
after(async () => await system?.close())

let first: { readonly headerDigest: string; readonly resultId: string; readonly table: unknown[] }

test('with consent keys and without a list nothing is released; an empty list is enough', async () => {
  const consent = { keys: [keySigner(officer).jwk], keyIds: [KEYS.consent] }
  await publishPolicy(system, 2, (policy) => ({
    ...policy,
    datasets: policy.datasets.map((dataset) => ({ ...dataset, consent })),
  }))
  assert.equal((await consentCommand('list')).exit, 1)
  const headerDigest = await put('first')
  await waitForRefusal('consent.none')
  // There is one statement a minute.
  const started = await consentCommand('start', ...SIGN.slice(0, -1), '120', '--json')
  assert.equal(started.exit, 0, started.stderr)
  assert.equal(JSON.parse(started.stdout).stated, true)
  assert.equal((await consentCommand('start', ...SIGN)).exit, 1)
  first = await resultOf(headerDigest, 'first')
  assert.equal(first.table.length, 1)
})

test('one patient withdraws: the next result leaves the patient out, and the first one stays', async () => {
  const { exit, stdout, stderr } = await consentCommand(
    'withdraw',
    await fileOf(`Patient/${WITHDRAWN}\n`),
    ...SIGN,
  )
  assert.equal(exit, 0, stderr)
  assert.doesNotMatch(stdout + stderr, /canary/)
  await untilListed()
  const second = await resultOf(await put('second'), 'second')
  assert.deepEqual(second.table, [])
  const again = await resultsOf(system, first.headerDigest)
  assert.deepEqual(
    again.map(({ resultId }) => resultId),
    [first.resultId],
  )
})

test('no single person takes a withdrawal back', async () => {
  assert.equal((await check(WITHDRAWN)).exit, 0)
  assert.equal((await check(ALSO)).exit, 1)
  // Its own document, which replaces the list and is signed as an addition is.
  const restore = join(system.deployment.folders.keys, 'restore.json')
  const { exit, stderr } = await consentCommand('restore', '--patient', WITHDRAWN, '--out', restore)
  assert.equal(exit, 0, stderr)
  const draft = ConsentSchema.parse(JSON.parse(await readFile(restore, 'utf8')))
  assert.equal(draft.replaces.length, 2)
  const store = system.deployment.ociAs('privacy').objectStore()
  await publish(store, consentKind(DATASET), draft, [keySigner(officer)])
  await untilListed()
  assert.equal((await check(WITHDRAWN)).exit, 0)
  assert.deepEqual((await resultOf(await put('third'), 'third')).table, [])

  // The same by a person of the root is refused before it is published.
  const { configOf, folders, tryCommand } = system.deployment
  const next = join(folders.keys, 'restore-2.json')
  assert.equal((await consentCommand('restore', '--patient', WITHDRAWN, '--out', next)).exit, 0)
  const govern = ['--config', configOf('govern')]
  const sign = (file: string, person: string) =>
    tryCommand(['policy', 'sign', file, ...govern, '--key', join(folders.keys, `${person}.pem`), '--yes'])
  assert.equal((await sign(next, 'privacy-officer')).exit, 0)
  const signed = next.replace('.json', '.signed.json')
  const refused = await tryCommand(['policy', 'publish', signed, ...govern])
  assert.equal(refused.exit, 1)
  assert.match(refused.stderr, /policy\.unsigned/)

  assert.equal((await sign(signed, 'security-officer')).exit, 0)
  const published = await tryCommand(['policy', 'publish', signed, ...govern])
  assert.equal(published.exit, 0, published.stderr)
  await untilListed()
  assert.equal((await check(WITHDRAWN)).exit, 1)
  assert.equal((await resultOf(await put('fourth'), 'fourth')).table.length, 1)
})

test('a list that storage does not give: the job waits, and nothing of its object is read', async () => {
  const withdrawn = await consentCommand('withdraw', '--patient', ALSO, ...SIGN)
  assert.equal(withdrawn.exit, 0, withdrawn.stderr)
  await untilListed()
  const { control } = system.deployment
  await control.arm({
    service: 'objectstorage',
    match: { method: 'GET', path: 'consent-list' },
    forMs: 600_000,
    status: 404,
    code: 'ObjectNotFound',
  })
  const headerDigest = await put('fifth')
  await waitForRefusal('consent.unopened')
  assert.deepEqual(await resultsOf(system, headerDigest), [])
  await control.clearFaults()
  await resultOf(headerDigest, 'fifth')
})

test('nothing that anyone keeps or shows names them, and the evidence is intact', async () => {
  await audit(system)
  const logged = ['verifier', 'worker-1', 'ingest', 'freshness', 'emulator'].flatMap((name) =>
    system.linesOf(name),
  )
  assert.ok(logged.length > 20)
  assert.doesNotMatch(JSON.stringify(logged), /canary/)
  const auditor = system.deployment.ociAs('auditor').objectStore()
  for (const [namespace, bucket] of [
    [PROVIDER.namespace, 'governance'],
    [PROVIDER.namespace, 'freshness'],
    [PROVIDER.namespace, 'evidence-verifier'],
    [PROVIDER.namespace, 'evidence-worker'],
    [CONSUMER.namespace, 'results'],
  ] as const)
    for await (const { name } of auditor.list({ namespace, bucket }, '')) {
      const bytes = await auditor.readAll({ namespace, bucket, name }, 32 * 1024 * 1024)
      for (const id of [WITHDRAWN, ALSO, 'canary']) assert.ok(!bytes.includes(utf8(id)), name)
    }
  for (const program of ['verifier', 'worker-1']) assert.doesNotMatch(await metricsOf(program), /canary/)
})

const SIGN = ['--key', 'OFFICER', '--yes', '--wait', '0']

function keyFile(): string {
  return join(system.deployment.folders.keys, 'officer.pem')
}

function configFile(): string {
  return join(system.deployment.folders.keys, 'privacy.json')
}

async function consentCommand(name: string, ...options: readonly string[]) {
  const { tryCommand } = system.deployment
  const named = options.map((option) => (option === 'OFFICER' ? keyFile() : option))
  return await tryCommand(['consent', name, ...named, '--dataset', DATASET, '--config', configFile()])
}

async function check(patient: string) {
  return await consentCommand('check', '--patient', patient)
}

async function fileOf(lines: string): Promise<string> {
  const file = join(system.deployment.folders.keys, 'withdrawn.txt')
  await writeFile(file, lines)
  return file
}

/** Eleven patients with the same condition, the two among them. Each file is another object. */
async function put(name: string): Promise<string> {
  const ids = [WITHDRAWN, ALSO, ...Array.from({ length: PATIENTS - 2 }, (_, n) => `${name}-${n}`)]
  const lines = ids.map((id) =>
    JSON.stringify({
      resourceType: 'Condition',
      id: `condition-${id}`,
      clinicalStatus: {
        coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code: 'active' }],
      },
      code: { coding: [{ system: 'http://snomed.info/sct', code: '195967001' }] },
      subject: { reference: `Patient/${id}` },
      onsetDateTime: '2020-03-04',
    }),
  )
  const sealed = await system.seal(name, { lines: `${lines.join('\n')}\n` })
  await system.upload(sealed.file)
  return sealed.headerDigest
}

async function waitForRefusal(code: string): Promise<void> {
  await waitForLine(system, 'waiting', { code })
}

/** The Verifier has listed the bucket since now. */
async function untilListed(): Promise<void> {
  const since = performance.now()
  await until(system, 'the Verifier does not list the bucket', async () => {
    const age = /^cw_verifier_policy_age_seconds ([\d.]+)$/m.exec(await metricsOf('verifier'))?.[1]
    return Number(age) * 1000 < performance.now() - since
  })
}

async function metricsOf(program: string): Promise<string> {
  const ready = system.linesOf(program).findLast((line) => typeof line['monitor'] === 'string')
  return await (await fetch(`${String(ready?.['monitor'])}/metrics`)).text()
}

async function resultOf(headerDigest: string, name: string) {
  await until(system, `no result for ${name}`, async () => (await resultsOf(system, headerDigest)).length > 0)
  const [manifest] = await resultsOf(system, headerDigest)
  const { command, configOf, folders } = system.deployment
  const resultId = manifest?.resultId ?? ''
  const out = join(folders.config, `${name}.result.json`)
  await command(['open', resultId, '--config', configOf('open'), '--out', out, '--json'])
  const { table } = JSON.parse(await readFile(out, 'utf8'))
  return { headerDigest, resultId, table: table as unknown[] }
}
