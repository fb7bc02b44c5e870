import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { nodeOptionsFor } from '#adapters/system/nodeOptions.ts'
import { ERRORS } from '#core/errors.ts'
import { MAX_DRAIN_SECONDS } from '../../src/worker/config.ts'

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
    'StartLimitIntervalSec=0',
    'Restart=on-failure',
    'KillSignal=SIGTERM',
    'MemorySwapMax=0',
    'LimitCORE=0',
    'LimitMEMLOCK=8M',
    'CoredumpFilter=0',
    'DevicePolicy=closed',
    'BindPaths=-/dev/sev-guest',
  ])
    test(`has ${line}`, () => assert.ok(text.split('\n').includes(line)))

  const settingOf = (name: string) => new RegExp(`^${name}=(.+)$`, 'm').exec(text)?.[1]

  test('has a watchdog, and more time to drain than any configuration', () => {
    assert.ok(Number(settingOf('WatchdogSec')) > 0)
    assert.ok(Number(settingOf('TimeoutStopSec')) > MAX_DRAIN_SECONDS)
  })

  test('starts the worker again after every end but one that only a configuration mends', () => {
    // An invalid policy ends commands that read one, and no program.
    const misconfigured = ['config.invalid', 'memory.unlocked', 'policy.invalid']
    const codes = Object.entries(ERRORS)
    assert.deepEqual(
      codes
        .filter(([, { exit }]) => exit === 78)
        .map(([code]) => code)
        .sort(),
      misconfigured,
    )
    assert.equal(settingOf('RestartPreventExitStatus'), '78')
    // An end by SIGTERM that the drain's limit cuts: no failure of "systemctl stop", and a restart otherwise.
    for (const rule of ['SuccessExitStatus', 'RestartForceExitStatus']) assert.equal(settingOf(rule), '75')
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
