/** What SIGKILL leaves of a demo: nothing that runs. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../lab/demo/main.ts', import.meta.url))
const GONE_WITHIN_MS = 25_000

/** Starts the demo as npm does, behind a process that only waits for it. */
const BEHIND_ANOTHER = `
  const { spawn } = require('node:child_process')
  spawn(process.execPath, process.argv.slice(1), { stdio: 'inherit' })`

async function startDemo(t: TestContext, before: readonly string[]): Promise<ChildProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'cw-orphans-'))
  const front = spawn(
    process.execPath,
    [...before, MAIN, '--out', join(folder, 'out'), '--patients', '20', '--keep'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, npm_lifecycle_event: 'demo' },
    },
  )
  t.after(() => rm(folder, { recursive: true, force: true }))
  assert.ok(front.stdout)
  // The output is read to its end: a demo that cannot print would end by that.
  const lines = createInterface(front.stdout)
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      if (/^ .* function {2}/.test(line)) resolve()
    })
    lines.once('close', () => reject(new Error('the demo ended before it had started its programs')))
  })
  return front
}

async function descendantsOf(pid: number): Promise<readonly number[]> {
  const threads = await readdir(`/proc/${pid}/task`)
  const lists = await Promise.all(threads.map((id) => readFile(`/proc/${pid}/task/${id}/children`, 'utf8')))
  const children = lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number))
  return [...children, ...(await Promise.all(children.map(descendantsOf))).flat()]
}

/** A zombie has ended; its new parent has only not asked for its exit code yet. */
async function runs(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return status !== '' && !/^State:\s+Z/m.test(status)
}

for (const { name, before, least } of [
  { name: 'the demo', before: [], least: 3 },
  { name: 'the process that npm started the demo with', before: ['-e', BEHIND_ANOTHER], least: 4 },
])
  test(`SIGKILL of ${name} ends every program`, async (t) => {
    const front = await startDemo(t, before)
    const left = await descendantsOf(front.pid ?? 0)
    t.after(async () => {
      for (const pid of left) if (await runs(pid)) process.kill(pid, 'SIGKILL')
    })
    assert.ok(left.length >= least, `${left.length} processes`)
    front.kill('SIGKILL')
    await once(front, 'exit')
    const end = performance.now() + GONE_WITHIN_MS
    const running = async () => (await Promise.all(left.map(runs))).filter(Boolean).length
    while ((await running()) > 0 && performance.now() < end) await sleep(100)
    assert.equal(await running(), 0)
  })
