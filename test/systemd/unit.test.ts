import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { nodeOptionsFor } from '#adapters/system/nodeOptions.ts'

const UNIT = 'confidential-worker.service'
const text = readFileSync(new URL(`../../systemd/${UNIT}`, import.meta.url), 'utf8')

const analyze = (...commandLine: readonly string[]) =>
  spawnSync('systemd-analyze', commandLine, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } })
const { status, stdout } = analyze('--version')
const version = status === 0 ? Number(/^systemd (\d+)/.exec(stdout)?.[1]) : 0
const skip = version >= 252 ? false : 'systemd-analyze 252 or later is not installed'

describe('the unit', () => {
  test('starts the worker as the command line does', () => {
    const start = `/usr/bin/node ${nodeOptionsFor('src/worker/main.ts').join(' ')} /opt/confidential-worker/src/worker/main.ts`
    assert.ok(text.includes(`ExecStart=${start} `))
  })

  /** Promises of the design that the score of systemd-analyze does not cover. */
  for (const line of [
    'Type=notify',
    'NotifyAccess=main',
    'RestartPreventExitStatus=78',
    'KillSignal=SIGTERM',
    'MemorySwapMax=0',
    'LimitCORE=0',
    'LimitMEMLOCK=8M',
    'CoredumpFilter=0',
    'DevicePolicy=closed',
    'BindPaths=-/dev/sev-guest',
  ])
    test(`has ${line}`, () => assert.ok(text.split('\n').includes(line)))

  test('has a watchdog, and more time to drain than the device may need', () => {
    const seconds = (name: string) => Number(new RegExp(`^${name}=(\\d+)$`, 'm').exec(text)?.[1])
    assert.ok(seconds('WatchdogSec') > 0)
    assert.ok(seconds('TimeoutStopSec') > 60)
  })
})

describe('systemd-analyze', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'unit-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  // `verify` looks for the program, which here is this test's own Node.
  const path = join(folder, UNIT)
  writeFileSync(path, text.replace('/usr/bin/node', process.execPath))

  test('verify reports nothing', () => {
    const { status, stderr } = analyze('verify', '--man=no', path)
    assert.equal(stderr, '')
    assert.equal(status, 0)
  })

  test('security: an exposure of at most 1.2', () => {
    const { status, stdout } = analyze('security', '--offline=true', '--no-pager', '--threshold=12', path)
    assert.equal(status, 0, stdout)
  })
})
