/**
 * The demo as a new user runs it: its output, the files it leaves, and the secrets that must not be in them.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { createOci } from '#adapters/oci/clients.ts'
import { OciConfig } from '#adapters/oci/config.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { fromBase64url } from '#core/bytes.ts'
import { parseGeneral, peekCompact } from '#core/jws.ts'
import { PolicyFormat } from '#core/policy/policy.ts'
import { idKeyAssociatedData } from '#core/release/idKey.ts'
import { SealHeaderFormat, sealAssociatedData } from '#core/sealed/header.ts'
import { manifestName, ResultManifestFormat } from '#core/sealed/manifest.ts'
import { readSealHeader, SEAL_PREFIX_BYTES } from '#core/sealed/object.ts'
import type { CommandResult } from '#lab/demo/command.ts'
import { POPULATION_CANARIES } from '#lab/demo/population.ts'
import { parseEmulatorConfig } from '#lab/emulator/config.ts'
import { startEmulator } from '#lab/emulator/emulator.ts'
import { findCanaries, findIn, keyCanaries, wordCanaries } from './canaries.ts'
import { resultOf, runCommand, startDemo } from './commandLine.ts'

const REFUSALS = ['measurement.unknown', 'guest-policy.debug', 'assurance.insufficient']
const MAX_RESIDENT_BYTES = 256 * 1024 * 1024

const folder = await mkdtemp(join(tmpdir(), 'cw-demo-'))
after(() => rm(folder, { recursive: true, force: true }))
const out = join(folder, 'demo')
const inOut = (...names: readonly string[]) => join(out, ...names)
const readJson = async (...names: readonly string[]) => JSON.parse(await readFile(inOut(...names), 'utf8'))

let run: CommandResult
before(async () => {
  run = await resultOf(startDemo('--out', out, '--patients', '60', '--seed', 'e2e', '--json'))
})

test('the demo ends with a result and three refusals, and its summary says so', async () => {
  assert.equal(run.exit, 0, run.stderr)
  const summary = JSON.parse(run.stdout)
  assert.deepEqual(
    summary.refused.map(({ code }: { code: string }) => code),
    REFUSALS,
  )
  assert.deepEqual(summary.evidence, { verdict: 'intact', allowed: 1, refused: 3 })
  assert.equal(summary.simulation, true)
  assert.match(run.stderr, /^SIMULATION/)
  for (const code of REFUSALS)
    assert.match(run.stderr, new RegExp(`    ${code}: .+ is .+, must be .+\n      remedy: `))

  const { read, kept, withheld } = summary.counts
  const total = [kept, withheld].flatMap(Object.values).reduce((sum, count) => sum + count, 0)
  assert.equal(total, read)
  assert.ok(withheld.scope > 0 && withheld.sensitive > 0, JSON.stringify(withheld))
  const lines = (await readFile(inOut('input.ndjson'), 'utf8')).split('\n').length - 1
  assert.equal(read, lines)
  const { table } = await readJson('result.json')
  assert.ok(table.length > 0)
  for (const bytes of Object.values<number>(summary.peakResidentBytes))
    assert.ok(bytes > 0 && bytes < MAX_RESIDENT_BYTES, `${bytes} bytes resident`)
})

test('the report for people has the verdict and the counts, and the last lines say where it is', async () => {
  const { report, counts } = JSON.parse(run.stdout)
  assert.equal(report, inOut('report.html'))
  const page = await readFile(report, 'utf8')
  const sum = (all: Record<string, number>) => Object.values(all).reduce((total, count) => total + count, 0)
  const numbers = [sum(counts.withheld), counts.read].map((count: number) => count.toLocaleString('en'))
  assert(page.includes('</span>Intact</p>'))
  assert(page.includes(`${numbers[0]} of ${numbers[1]} records, by the filter inside the worker`))
  for (const code of REFUSALS) assert(page.includes(`(${code})`), code)
  assert(run.stderr.trimEnd().split('\n').slice(-4).join().includes(pathToFileURL(report).href))
})

test('anyone who accepts simulated machines can verify the evidence again', async () => {
  const verify = ['evidence', 'verify', inOut('evidence'), '--trust', inOut('config', 'trust.json')]
  assert.equal((await runCommand(...verify, '--simulation')).exit, 0)
  assert.equal((await runCommand(...verify)).exit, 1)
  for (const name of ['verifier', 'worker-1', 'worker-2'])
    assert.match(
      await readFile(inOut('metrics', `${name}.prom`), 'utf8'),
      /^process_resident_memory_bytes \d/m,
    )
})

test('words of patients are only in the input file', async () => {
  const words = wordCanaries(Object.values(POPULATION_CANARIES).flat())
  const { found: planted } = await findCanaries(out, words, [])
  assert.ok(planted.some((find) => find.startsWith('input.ndjson')))
  const { found, files } = await findCanaries(out, words, ['input.ndjson'])
  assert.deepEqual(found, [])
  assert.ok(files > 50, `${files} files were searched`)
  assert.deepEqual(findIn('the output', Buffer.from(run.stdout + run.stderr), words), [])
})

test('released keys are in no file and in no output', async () => {
  const keys = await releasedKeys()
  const canaries = Object.entries(keys).flatMap(([name, key]) => keyCanaries(name, key))
  // The emulator must store its secrets. It does not store data keys.
  const { found } = await findCanaries(out, canaries, ['emulator/secrets'])
  assert.deepEqual(found, [])
  assert.deepEqual(findIn('the output', Buffer.from(run.stdout + run.stderr), canaries), [])
  const { found: known } = await findCanaries(out, keyCanaries('nonce secret', keys['nonce secret']), [])
  assert.notDeepEqual(known, [], 'the search must find the one stored secret')
})

test('an existing output folder is refused and not touched', async () => {
  const before = (await stat(out)).mtimeMs
  const { exit, stderr } = await resultOf(startDemo('--out', out))
  assert.equal(exit, 2)
  assert.match(stderr, /\(output\.exists\)/)
  assert.equal((await stat(out)).mtimeMs, before)
})

for (const { name, parameters, code } of [
  { name: 'zero patients', parameters: ['--patients', '0'], code: 'usage.invalid' },
  { name: 'an unknown option', parameters: ['--fast'], code: 'usage.invalid' },
  { name: 'both --input and --seed', parameters: ['--input', 'x', '--seed', 'y'], code: 'usage.invalid' },
  {
    name: 'an absent input file',
    parameters: ['--input', join(folder, 'absent')],
    code: 'input.unreadable',
  },
])
  test(`${name}: refused before any program starts`, async () => {
    const unused = join(folder, 'unused')
    const { exit, stderr } = await resultOf(startDemo('--out', unused, ...parameters))
    assert.equal(exit, 2)
    assert.ok(stderr.includes(`(${code})`), stderr)
    await assert.rejects(stat(unused), { code: 'ENOENT' })
  })

test('Ctrl-C during the start ends every process', async () => {
  const interrupted = join(folder, 'interrupted')
  const child = startDemo('--out', interrupted, '--patients', '20')
  const ended = resultOf(child)
  // If the demo ends by itself, the wait ends too.
  for (let said = ''; !said.includes('verifier') && child.exitCode === null; )
    said += String(await Promise.race([once(child.stdout, 'data'), ended]))
  child.kill('SIGINT')
  const { exit, stderr } = await ended
  assert.equal(exit, 75, stderr)
  assert.match(stderr, /\(process\.interrupted\)/)
  const [ready = ''] = (await readFile(join(interrupted, 'logs', 'emulator.log'), 'utf8')).split('\n')
  const { pid } = JSON.parse(ready)
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})

/** Decrypts the keys from the files of the demo, with the rights of the Verifier and of the researcher. */
async function releasedKeys(): Promise<
  Readonly<Record<'dek' | 'idKey' | 'result dek' | 'nonce secret', Buffer>>
> {
  const config = parseEmulatorConfig({ ...(await readJson('config', 'emulator.json')), guests: [] })
  const emulator = await startEmulator({
    config,
    folder: inOut('emulator'),
    now: Date.now,
    onFault: () => {},
  })
  const ociOf = async (program: string) => {
    const { oci } = await readJson('config', `${program}.json`)
    const { endpoint } = emulator
    for (const service of Object.keys(oci.endpoints)) oci.endpoints[service] = endpoint
    if (oci.principal.kind === 'instance')
      Object.assign(oci.principal, {
        federationUrl: endpoint,
        metadataUrl: emulator.imds[config.instances[0]?.id ?? ''],
      })
    return createOci(OciConfig.parse(oci), { allowPlainHttp: true, clock: systemClock })
  }
  const [verifier, researcher] = [await ociOf('verifier'), await ociOf('open')]
  try {
    const vault = verifier.keyVault()
    const sealed = await readFile(inOut('object.sealed'))
    const { headerJws } = readSealHeader(sealed.subarray(0, SEAL_PREFIX_BYTES))
    const { payload: header } = peekCompact(SealHeaderFormat, headerJws, 'object.malformed')
    const { keyId, wrappedDek } = header.custody
    const [policyName] = await readdir(inOut('evidence', 'governance', 'policy'))
    const signed = parseGeneral(
      await readFile(inOut('evidence', 'governance', 'policy', policyName ?? '')),
      'policy.invalid',
    )
    const [dataset] = PolicyFormat.decode(fromBase64url(signed.payload)).datasets
    assert.ok(dataset)
    const { resultId } = JSON.parse(run.stdout)
    const manifestText = await readFile(inOut('evidence', 'results', manifestName(resultId)), 'utf8')
    const { payload: manifest } = peekCompact(ResultManifestFormat, manifestText, 'record.malformed')
    const { recipient, wrappedDek: wrapped } = manifest
    return {
      dek: await vault.decrypt(keyId, fromBase64url(wrappedDek), sealAssociatedData(header)),
      idKey: await vault.decrypt(
        dataset.idKey.keyId,
        fromBase64url(dataset.idKey.wrapped),
        idKeyAssociatedData(header.tenant, header.dataset),
      ),
      'result dek': await researcher
        .keyVault()
        .decryptRsa(recipient.keyId, recipient.keyVersionId, fromBase64url(wrapped)),
      'nonce secret': (await verifier.secretStore().read(config.secrets[0]?.id ?? '')).content,
    }
  } finally {
    verifier.close()
    researcher.close()
    await emulator.close()
  }
}
