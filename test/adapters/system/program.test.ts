/** The long-running programs while they still start: a signal ends them in order. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startModule } from './moduleProcess.ts'

const PROGRAMS = ['worker', 'verifier', 'function']

/** Runs a program whose first file never opens: when it reads its configuration, it gets the signal. */
function signalDuringStart(program: string, signal: NodeJS.Signals, ...parameters: readonly string[]) {
  const main = fileURLToPath(new URL(`../../../src/${program}/main.ts`, import.meta.url))
  const preload = `
    import files from 'node:fs/promises'
    import { syncBuiltinESMExports } from 'node:module'
    files.open = () => {
      setInterval(() => {}, 1000)
      process.kill(process.pid, '${signal}')
      return new Promise(() => {})
    }
    syncBuiltinESMExports()`
  const { status, stderr } = spawnSync(
    process.execPath,
    [
      '--import',
      `data:text/javascript,${encodeURIComponent(preload)}`,
      main,
      '--config',
      '/c',
      ...parameters,
    ],
    { encoding: 'utf8', timeout: 60_000, killSignal: 'SIGKILL' },
  )
  return { status, stderr }
}

for (const program of PROGRAMS)
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    test(`${signal} ends a ${program} that still reads its configuration, in order`, () => {
      assert.deepEqual(signalDuringStart(program, signal), { status: 0, stderr: '' })
    })

for (const parameters of [['--check-config'], ['--trust'], ['--job', 'j.json'], ['--job=j.json']])
  test(`a worker with ${parameters[0]} that a signal ends did not succeed`, () => {
    assert.equal(signalDuringStart('worker', 'SIGTERM', ...parameters).status, 75)
  })

test('a program that still loads its modules ends in order', async () => {
  const { child, ended } = startModule(`
    import '#adapters/system/endWhileLoading.ts'
    setInterval(() => {}, 1000)
    process.stdout.write('loading')
  `)
  await once(child.stdout, 'data')
  child.kill('SIGTERM')
  assert.equal((await ended).code, 0)
})

test('once a program listens itself, the early end is over', async () => {
  const { child, ended } = startModule(`
    import '#adapters/system/endWhileLoading.ts'
    import { listenForShutdown } from '#adapters/system/shutdown.ts'
    const keep = setInterval(() => {}, 1000)
    const shutdown = listenForShutdown(60_000, () => {})
    void shutdown.requested.then(() => {
      process.stdout.write(' drained')
      clearInterval(keep)
    })
    process.stdout.write('running')
  `)
  await once(child.stdout, 'data')
  child.kill('SIGTERM')
  const { code, stdout } = await ended
  assert.deepEqual({ code, stdout }, { code: 0, stdout: 'running drained' })
})
