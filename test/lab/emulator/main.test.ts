import assert from 'node:assert/strict'
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Emulator } from '#lab/emulator/emulator.ts'
import { objectStorageOf, userProvider } from './clients.ts'
import { id, PROVIDER, PROVIDER_NAMESPACE, temporaryFolder, testConfig } from './testEmulator.ts'

const main = fileURLToPath(new URL('../../../lab/emulator/main.ts', import.meta.url))
const governance = { namespaceName: PROVIDER_NAMESPACE, bucketName: 'governance' }

function start(
  t: TestContext,
  ...parameters: readonly string[]
): ChildProcessByStdio<null, Readable, Readable> {
  const child = spawn(process.execPath, [main, ...parameters], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  return child
}

async function ready({ stdout }: ChildProcess): Promise<Emulator> {
  assert.ok(stdout)
  for await (const line of createInterface(stdout)) return JSON.parse(line)
  throw new Error('the emulator ended before it was ready')
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}

test('every acknowledged object survives a SIGKILL during writes', async (t) => {
  const folder = await temporaryFolder(t)
  const config = join(folder, 'emulator.json')
  await writeFile(config, JSON.stringify(testConfig()))
  const parameters = ['--config', config, '--data', join(folder, 'data')]
  const first = start(t, ...parameters)
  const emulator = await ready(first)
  assert.deepEqual(
    Object.keys(emulator.imds),
    ['verifier', 'worker-1', 'worker-2'].map((name) => id('instance', name)),
  )

  const governor = objectStorageOf(emulator, userProvider(PROVIDER, 'governor'))
  const acknowledged: string[] = []
  const write = async (writer: number): Promise<void> => {
    for (let count = 0; ; count += 1) {
      const objectName = `policy/${writer}-${count}`
      await governor.putObject({
        ...governance,
        objectName,
        contentLength: 4,
        putObjectBody: Buffer.from('kept'),
      })
      acknowledged.push(objectName)
      if (acknowledged.length === 40) first.kill('SIGKILL')
    }
  }
  const ends = await Promise.allSettled([1, 2, 3, 4].map(write))
  assert.ok(acknowledged.length >= 40, String(ends.find(({ status }) => status === 'rejected')))
  await exitOf(first)

  const second = start(t, ...parameters)
  const again = await ready(second)
  assert.equal(again.endpoint, emulator.endpoint)
  const { listObjects } = await governor.listObjects(governance)
  const names = new Set(listObjects.objects.map(({ name }) => name))
  assert.deepEqual(
    acknowledged.filter((name) => !names.has(name)),
    [],
  )
  for (const objectName of names) {
    const { contentLength } = await governor.headObject({ ...governance, objectName })
    assert.equal(contentLength, 4)
  }
  second.kill('SIGTERM')
  assert.equal(await exitOf(second), 0)
})

test('an invalid or absent configuration ends with 78, a missing argument with 2', async (t) => {
  const folder = await temporaryFolder(t)
  const config = join(folder, 'emulator.json')
  await writeFile(config, JSON.stringify({ ...testConfig(), extra: 1 }))
  assert.equal(await exitOf(start(t, '--config', config, '--data', join(folder, 'data'))), 78)
  assert.equal(await exitOf(start(t, '--config', join(folder, 'absent'), '--data', join(folder, 'data'))), 78)
  assert.equal(await exitOf(start(t, '--config', config)), 2)
})

test('--help teaches the options and the exit codes', async (t) => {
  const child = start(t, '--help')
  const [help, exit] = await Promise.all([text(child.stdout), exitOf(child)])
  assert.equal(exit, 0)
  for (const part of ['--config FILE', '--data DIR', 'Exit codes']) assert.ok(help.includes(part), part)
})

for (const { parameters, sentence } of [
  { parameters: ['--fast'], sentence: "unknown option '--fast'" },
  { parameters: ['--data', 'x'], sentence: 'the option --config FILE is missing' },
])
  test(`wrong arguments (${parameters.join(' ')}) are answered with a sentence and exit code 2`, async (t) => {
    const child = start(t, ...parameters)
    const [stderr, exit] = await Promise.all([text(child.stderr), exitOf(child)])
    assert.equal(exit, 2)
    assert.ok(stderr.includes(sentence) && stderr.includes('(usage.invalid)'), stderr)
    assert.doesNotMatch(stderr, /\n\s+at /)
  })
