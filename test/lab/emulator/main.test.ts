import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Emulator } from '#lab/emulator/emulator.ts'
import { objectStorageOf, userProvider } from './clients.ts'
import { id, PROVIDER, PROVIDER_NAMESPACE, temporaryFolder, testConfig } from './testEmulator.ts'

const main = fileURLToPath(new URL('../../../lab/emulator/main.ts', import.meta.url))
const governance = { namespaceName: PROVIDER_NAMESPACE, bucketName: 'governance' }

function start(t: TestContext, ...parameters: readonly string[]): ChildProcess {
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

test('what was acknowledged outlives a SIGKILL in the middle of everything', async (t) => {
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
      const objectName = `${writer}/${count}`
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
  await Promise.allSettled([1, 2, 3, 4].map(write))
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

test('a configuration that is not understood ends with 78, a missing argument with 2', async (t) => {
  const folder = await temporaryFolder(t)
  const config = join(folder, 'emulator.json')
  await writeFile(config, JSON.stringify({ ...testConfig(), extra: 1 }))
  assert.equal(await exitOf(start(t, '--config', config, '--data', join(folder, 'data'))), 78)
  assert.equal(await exitOf(start(t, '--config', join(folder, 'absent'), '--data', join(folder, 'data'))), 78)
  assert.equal(await exitOf(start(t, '--config', config)), 2)
})
