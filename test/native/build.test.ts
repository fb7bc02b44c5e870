import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { loadAddon } from '#adapters/system/addon.ts'
import { lackOfAddon } from './fakeDevice.ts'

const BUILD = fileURLToPath(new URL('../../native/build.mjs', import.meta.url))
const ADDON = fileURLToPath(new URL('../../native/build/sev_guest.node', import.meta.url))

test('the addon is built if it can be, and has every function', {
  skip: lackOfAddon() ?? false,
}, () => {
  const addon = loadAddon()
  assert.ok(!(addon instanceof Error), String(addon))
  assert.deepEqual(Object.keys(addon).sort(), ['aead', 'allocateSecret', 'freeSecret', 'getReport', 'notify'])
})

for (const compiler of ['gcc', 'clang'])
  test(`${compiler} compiles the addon and the test programs without a warning`, {
    skip:
      lackOfAddon() ??
      (spawnSync(compiler, ['--version']).status === 0 ? false : `${compiler} is not installed`),
  }, () => {
    const sources = ['../../native/', './'].flatMap((folder) => {
      const path = fileURLToPath(new URL(folder, import.meta.url))
      return readdirSync(path).flatMap((name) => (name.endsWith('.c') ? [join(path, name)] : []))
    })
    // The flags of native/build.mjs and fakeDevice.ts.
    const flags = [
      '-std=c17',
      '-O2',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-fPIC',
      '-D_GNU_SOURCE',
      '-DNAPI_VERSION=8',
    ]
    const include = `-I${createRequire(import.meta.url)('node-api-headers').include_dir}`
    const { status, stderr } = spawnSync(compiler, [...flags, include, '-fsyntax-only', ...sources], {
      encoding: 'utf8',
    })
    assert.equal(stderr, '')
    assert.equal(status, 0)
  })

describe('an install without the addon succeeds and says what is missing', {
  skip: process.platform === 'linux' ? false : 'the compilers here are shell scripts',
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'cc-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  for (const [name, compiler, expect] of [
    [
      'no compiler',
      undefined,
      /the C compiler "cc" is missing; install one \(Debian, Ubuntu: apt install gcc/,
    ],
    ['no kernel headers', 'test "$1" = --version', /linux\/sev-guest.h is missing; install .*linux-libc-dev/],
    ['a compiler that fails', 'test "$1" = --version || test "$1" = -E', /cc failed, see above/],
  ] as const)
    test(name, () => {
      const path = mkdtempSync(join(folder, 'path-'))
      if (compiler !== undefined) {
        writeFileSync(join(path, 'cc'), `#!/bin/sh\n${compiler}\n`)
        chmodSync(join(path, 'cc'), 0o755)
      }
      const before = statSync(ADDON, { throwIfNoEntry: false })?.mtimeMs
      const { status, stdout } = spawnSync(process.execPath, [BUILD], {
        env: { PATH: path },
        encoding: 'utf8',
      })
      assert.equal(status, 0)
      assert.match(stdout, /^native addon not built: .*Only a worker on a confidential VM needs it\.\n$/)
      assert.match(stdout, expect)
      assert.equal(statSync(ADDON, { throwIfNoEntry: false })?.mtimeMs, before)
    })
})
