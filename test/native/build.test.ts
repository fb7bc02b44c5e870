import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { loadAddon } from '#adapters/system/addon.ts'
import { lackOfAddon } from './fakeDevice.ts'

const BUILD = fileURLToPath(new URL('../../native/build.mjs', import.meta.url))
const ADDON = fileURLToPath(new URL('../../native/build/sev_guest.node', import.meta.url))

test('where it can be built, the addon is there with everything it does', {
  skip: lackOfAddon() ?? false,
}, () => {
  const addon = loadAddon()
  assert.ok(!(addon instanceof Error), String(addon))
  assert.deepEqual(Object.keys(addon).sort(), [
    'aead',
    'allocateSecret',
    'getKey',
    'getReport',
    'notify',
    'releaseSecret',
  ])
})

describe('an install where it cannot be built succeeds and says what is missing', {
  skip: process.platform === 'linux' ? false : 'the compilers here are shell scripts',
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'cc-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  for (const [name, compiler, expect] of [
    [
      'no compiler',
      undefined,
      /no C compiler answers to "cc"; install one \(Debian, Ubuntu: apt install gcc/,
    ],
    ['no kernel headers', 'test "$1" = --version', /linux\/sev-guest.h is missing; install .*linux-libc-dev/],
    ['a compiler that fails', 'test "$1" = --version || test "$1" = -E', /cc failed as shown above/],
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
