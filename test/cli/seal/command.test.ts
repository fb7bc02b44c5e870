import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, truncate, watch, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { peekCompact } from '#core/jws.ts'
import { nodeCipher } from '#core/sealed/cipher.ts'
import { SealHeaderFormat, sealAssociatedData } from '#core/sealed/header.ts'
import { openObject, readSealHeader } from '#core/sealed/object.ts'
import { SealRecordFormat } from '#core/sealed/record.ts'
import { id, PROVIDER_NAMESPACE } from '../../lab/emulator/testEmulator.ts'
import { managerOf, startServices } from '../emulatedServices.ts'
import { cli, expectFailure, startCli } from '../process.ts'

test('a sealed file is uploaded, recorded, and opens to the same bytes', async (t) => {
  const { emulator, folder, configs } = await startServices(t)
  const file = join(folder, 'export.ndjson')
  const content = randomBytes(700_000)
  await writeFile(file, content)
  const baseUrl = 'https://fhir.hospital.example/r4'
  const sealed = await cli('seal', file, '--config', configs.seal, '--base-url', baseUrl, '--json')
  assert.equal(sealed.code, 0, sealed.stderr)
  const { sealId, object, size, sealedSize, file: out } = JSON.parse(sealed.stdout)
  assert.deepEqual([out, object, size], [`${file}.sealed`, sealId, content.byteLength])
  const bytes = await readFile(out)
  assert.equal(bytes.byteLength, sealedSize)

  // A second run does not overwrite the output.
  expectFailure(await cli('seal', file, '--config', configs.seal), 'output.exists', 2)
  assert.deepEqual(await readFile(out), bytes)

  const uploaded = await cli('upload', out, '--config', configs.seal, '--json')
  assert.equal(uploaded.code, 0, uploaded.stderr)
  const { etag, record, objectDigest } = JSON.parse(uploaded.stdout)
  assert.equal(objectDigest, createHash('sha256').update(bytes).digest('base64url'))
  const { store, vault } = managerOf(t, emulator, 'provider')
  const stored = { namespace: PROVIDER_NAMESPACE, bucket: 'outbox', name: object }
  assert.equal((await store.head(stored)).etag, etag)
  assert.deepEqual(await store.readAll(stored, 2_000_000), bytes)
  const jws = (await store.readAll({ ...stored, bucket: 'governance', name: record }, 10_000)).toString()
  const { payload } = peekCompact(SealRecordFormat, jws, 'record.malformed')
  assert.deepEqual(
    [payload.sealId, payload.objectDigest, payload.size, payload.etag],
    [sealId, objectDigest, sealedSize, etag],
  )

  // A second run finds the same object and changes nothing.
  const repeated = await cli('upload', out, '--config', configs.seal, '--json')
  assert.deepEqual([repeated.code, JSON.parse(repeated.stdout).etag], [0, etag])

  const { headerJws, offset } = readSealHeader(bytes)
  const header = peekCompact(SealHeaderFormat, headerJws, 'object.malformed').payload
  assert.deepEqual([header.set, header.minimised, header.baseUrl], [null, null, baseUrl])
  const wrapped = Buffer.from(header.custody.wrappedDek, 'base64url')
  const dek = await vault.decrypt(id('key', 'dataset'), wrapped, sealAssociatedData(header))
  const chunks = [bytes.subarray(offset)]
  const opened = await Array.fromAsync(openObject({ headerJws, size, dek, chunks, cipher: nodeCipher }))
  assert.deepEqual(Buffer.concat(opened), content)
})

test('upload refuses a taken name, a cut file and a file of another key', async (t) => {
  const { folder, configs } = await startServices(t)
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

test('a failed seal leaves no file', async (t) => {
  const { emulator, folder, configs } = await startServices(t)
  const file = join(folder, 'a')
  await writeFile(file, 'one')
  const before = await readdir(folder)
  const seal = (...more: string[]) => cli('seal', file, '--config', configs.seal, ...more)
  expectFailure(await seal('--object', 'Jane Doe'), 'usage.invalid', 2)
  expectFailure(await seal('--object', 'set/a'), 'usage.invalid', 2)
  expectFailure(await seal('--base-url', 'http://fhir.hospital.example'), 'usage.invalid', 2)
  expectFailure(await cli('seal', folder, '--config', configs.seal), 'input.unreadable', 2)
  const fault = { service: 'vault', status: 500, code: 'Down', times: 100 }
  await fetch(`${emulator.endpoint}/emulator/faults`, { method: 'POST', body: JSON.stringify(fault) })
  expectFailure(await seal(), 'service.unavailable', 75)
  assert.deepEqual(await readdir(folder), before)
})

test('an interrupted seal says so and leaves no file', async (t) => {
  const { folder, configs } = await startServices(t)
  const [from, to] = [join(folder, 'in'), join(folder, 'out')]
  await mkdir(to)
  await writeFile(from, '')
  await truncate(from, 4 * 2 ** 30)
  const running = startCli('seal', from, '--config', configs.seal, '--out', join(to, 'sealed'))
  // The first file is the partial one.
  for await (const _ of watch(to)) break
  running.child.kill('SIGINT')
  expectFailure(await running.ended, 'process.interrupted', 75)
  assert.deepEqual(await readdir(to), [])
})
