import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { peekCompact } from '#core/jws.ts'
import { nodeCipher } from '#core/sealed/cipher.ts'
import { headerDigest, SealHeaderFormat, sealAssociatedData } from '#core/sealed/header.ts'
import { openObject, readSealHeader } from '#core/sealed/object.ts'
import { memberName } from '#core/sealed/set.ts'
import { readSetRecord, SetRecordFormat } from '#core/sealed/setRecord.ts'
import { armFault, id, PROVIDER_NAMESPACE } from '../../lab/emulator/testEmulator.ts'
import { managerOf, startServices } from '../emulatedServices.ts'
import { cli, expectFailure, startCli } from '../process.ts'

const PATIENTS = '{"resourceType":"Patient","id":"a"}\n\n{"resourceType":"Patient","id":"b"}'
const FILES = { 'Condition.ndjson': '{"resourceType":"Condition"}\n', 'Patient.ndjson': PATIENTS }
const outputOf = (name: string, count: number, more: object = {}) => ({
  type: name.split('.')[0],
  url: `https://fhir.hospital.example/exports/17/${name}`,
  count,
  ...more,
})
const OUTPUT = [outputOf('Patient.ndjson', 2, { fileSize: PATIENTS.length }), outputOf('Condition.ndjson', 1)]

async function world(t: TestContext) {
  const { emulator, folder, configs } = await startServices(t)
  const { store, vault } = managerOf(t, emulator, 'provider')
  const files = join(folder, 'export')
  await mkdir(files)
  for (const [name, content] of Object.entries(FILES)) await writeFile(join(files, name), content)
  const manifest = join(files, 'manifest.json')
  const sayOutput = (output: readonly object[], more: object = {}) =>
    writeFile(
      manifest,
      JSON.stringify({ transactionTime: '2026-01-01T00:00:00Z', output, error: [], ...more }),
    )
  await sayOutput(OUTPUT)
  const seal = (...more: readonly string[]) =>
    cli('seal', '--set', ...more, '--config', configs.seal, '--json')
  const namesIn = async (bucket: string, prefix = '') =>
    (await Array.fromAsync(store.list({ namespace: PROVIDER_NAMESPACE, bucket }, prefix))).map(
      ({ name }) => name,
    )
  const readOutbox = (name: string) =>
    store.readAll({ namespace: PROVIDER_NAMESPACE, bucket: 'outbox', name }, 100_000)
  return { emulator, folder, configs, vault, files, manifest, sayOutput, seal, namesIn, readOutbox }
}

test('the files of a folder become members under set/, with seal records, and one set record', async (t) => {
  const { files, manifest, seal, namesIn, readOutbox, vault } = await world(t)
  const outcome = await seal(
    files,
    '--manifest',
    manifest,
    '--base-url',
    'https://fhir.hospital.example',
    '--upload',
  )
  assert.equal(outcome.code, 0, outcome.stderr)
  const { set, object, folder, members } = JSON.parse(outcome.stdout)
  assert.deepEqual([object, folder, members.length], [set, `${files}.sealed`, 2])

  const jws = readSetRecord(await readOutbox(object))
  const { payload: record } = peekCompact(SetRecordFormat, jws, 'object.malformed')
  assert.deepEqual(
    [record.tenant, record.dataset, record.set, record.name],
    ['hospital', 'cohort-a', set, set],
  )
  const opened = await Promise.all(
    record.members.map(async (member) => {
      const bytes = await readOutbox(memberName(set, member.sealId))
      const { headerJws, offset } = readSealHeader(bytes)
      const header = peekCompact(SealHeaderFormat, headerJws, 'object.malformed').payload
      assert.equal(headerDigest(headerJws).toString('base64url'), member.headerDigest)
      assert.deepEqual(
        [header.set, header.size, header.baseUrl],
        [set, member.size, 'https://fhir.hospital.example'],
      )
      const wrapped = Buffer.from(header.custody.wrappedDek, 'base64url')
      const dek = await vault.decrypt(id('key', 'dataset'), wrapped, sealAssociatedData(header))
      const chunks = [bytes.subarray(offset)]
      const content = openObject({ headerJws, size: header.size, dek, chunks, cipher: nodeCipher })
      return Buffer.concat(await Array.fromAsync(content)).toString()
    }),
  )
  // In the order of their names, without the manifest.
  assert.deepEqual(opened, Object.values(FILES))
  assert.deepEqual(
    await namesIn('outbox'),
    [set, ...record.members.map(({ sealId }) => memberName(set, sealId))].toSorted(),
  )
  assert.deepEqual(
    await namesIn('governance', 'seal/'),
    record.members.map(({ sealId }) => `seal/${sealId}`).toSorted(),
  )
})

test('a manifest that does not fit refuses before anything leaves, and no folder stays', async (t) => {
  const { folder, files, manifest, sayOutput, seal, namesIn } = await world(t)
  const before = await readdir(folder)
  const [patients, conditions] = OUTPUT
  assert.ok(patients !== undefined && conditions !== undefined)
  for (const output of [
    [patients],
    [patients, conditions, outputOf('Observation.ndjson', 1)],
    [patients, outputOf('Condition.ndjson', 2)],
    [outputOf('Patient.ndjson', 2, { fileSize: 1 }), conditions],
    [{ ...patients, type: 'Practitioner' }, conditions],
  ]) {
    await sayOutput(output)
    expectFailure(await seal(files, '--manifest', manifest, '--upload'), 'export.incomplete', 2)
  }
  await sayOutput([])
  expectFailure(await seal(files, '--manifest', manifest, '--upload'), 'export.malformed', 2)
  assert.deepEqual(await readdir(folder), before)
  assert.deepEqual(await namesIn('outbox'), [])
})

test('a set has 1 to 64 files, and several files are a set only if that is said', async (t) => {
  const { folder, files, configs, seal } = await world(t)
  const empty = join(folder, 'empty')
  await mkdir(empty)
  expectFailure(await seal(empty), 'usage.invalid', 2)
  const many = Array.from({ length: 65 }, () => join(files, 'Patient.ndjson'))
  expectFailure(await seal(...many), 'usage.invalid', 2)
  expectFailure(await cli('seal', ...many.slice(0, 2), '--config', configs.seal), 'usage.invalid', 2)
  const sealed = await seal(...many.slice(0, 2), '--out', join(folder, 'two'))
  assert.equal(sealed.code, 0, sealed.stderr)
})

test('a run that dies half-way leaves no set record; the upload completes it, and another run is another set', async (t) => {
  const { emulator, files, configs, seal, namesIn } = await world(t)
  // The first member is stored; its seal record does not get through.
  await armFault(emulator, {
    service: 'objectstorage',
    match: { method: 'PUT', path: '/governance/' },
    latencyMs: 600_000,
    times: 1,
  })
  const running = startCli('seal', '--set', files, '--config', configs.seal, '--upload')
  let stored: readonly string[] = []
  while (stored.length === 0) stored = await namesIn('outbox')
  running.child.kill('SIGKILL')
  await running.ended
  await armFault(emulator, undefined)
  assert.deepEqual(
    stored.filter((name) => !name.startsWith('set/')),
    [],
  )
  const completed = await cli('upload', `${files}.sealed`, '--config', configs.seal, '--json')
  assert.equal(completed.code, 0, completed.stderr)
  const { set } = JSON.parse(completed.stdout)
  assert.ok(stored.every((name) => name.startsWith(`set/${set}/`)))
  // Again: everything is there.
  const again = await cli('upload', `${files}.sealed`, '--config', configs.seal)
  assert.equal(again.code, 0, again.stderr)
  const second = await seal(files, '--out', `${files}.again`, '--upload')
  assert.equal(second.code, 0, second.stderr)
  assert.notEqual(JSON.parse(second.stdout).set, set)
  assert.equal((await namesIn('outbox')).filter((name) => !name.startsWith('set/')).length, 2)
})

test('upload refuses a set that is not whole, exchanged members, and a record of another key', async (t) => {
  const { files, configs, seal, namesIn } = await world(t)
  const sealed = await seal(files)
  assert.equal(sealed.code, 0, sealed.stderr)
  const { folder, members, set } = JSON.parse(sealed.stdout)
  const [first, second] = members.map(({ file }: { file: string }) => file)
  const upload = () => cli('upload', folder, '--config', configs.seal)
  await rename(second, `${second}.kept`)
  await writeFile(second, await readFile(first))
  expectFailure(await upload(), 'object.malformed', 2)
  await rm(second)
  expectFailure(await upload(), 'input.unreadable', 2)
  await rename(`${second}.kept`, second)
  const other = join(folder, '..', 'other.json')
  await writeFile(
    other,
    JSON.stringify({ ...JSON.parse(await readFile(configs.seal, 'utf8')), dataset: 'other' }),
  )
  const asOther = await cli('upload', folder, '--config', other)
  expectFailure(asOther, 'object.unsigned', 1)
  assert.match(asOther.stderr, /the set belongs to/)
  const record = join(folder, 'set-record')
  const bytes = await readFile(record)
  await writeFile(record, bytes.toString().replace(/.{4}$/, 'AAAA'))
  expectFailure(await upload(), 'object.unsigned', 1)
  await rm(record)
  expectFailure(await upload(), 'input.unreadable', 2)
  assert.ok(!(await namesIn('outbox')).includes(set))
})

test('a taken name is refused, and the set is no job', async (t) => {
  const { files, seal, namesIn } = await world(t)
  const named = (out: string) => seal(files, '--object', 'named', '--out', `${files}.${out}`, '--upload')
  const first = await named('first')
  assert.equal(first.code, 0, first.stderr)
  expectFailure(await named('second'), 'service.conflict', 1)
  assert.deepEqual(
    (await namesIn('outbox')).filter((name) => !name.startsWith('set/')),
    ['named'],
  )
})
