/** Every program loads under a user id that has no HOME and no entry in /etc/passwd. */
import assert from 'node:assert/strict'
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const NAMELESS = 12345
const mainOf = (program: string) => fileURLToPath(new URL(`../../../src/${program}/main.ts`, import.meta.url))

function runNameless(...parameters: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, parameters, {
    uid: NAMELESS,
    gid: NAMELESS,
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    encoding: 'utf8',
  })
}

/** Why this machine cannot run the tests below, or false. */
function reasonToSkip(): string | false {
  if (process.getuid?.() !== 0) return 'only root can start a process under another user id'
  const readable = runNameless('-e', `require('node:fs').accessSync(${JSON.stringify(mainOf('cli'))})`)
  if (readable.status !== 0) return 'another user id cannot read this folder'
  const homeless = runNameless('-e', 'require("node:os").homedir()')
  return homeless.stderr.includes('ENOENT') ? false : `user id ${NAMELESS} has a home folder here`
}

const skip = reasonToSkip()

for (const program of ['worker', 'verifier', 'function'])
  test(`${program} checks a configuration without a home folder`, { skip }, () => {
    const { status, stderr } = runNameless(
      mainOf(program),
      '--config',
      '/nonexistent/c.json',
      '--check-config',
    )
    const { code } = JSON.parse(stderr)
    assert.deepEqual({ code, status }, { code: 'config.invalid', status: 78 })
  })

test('the command line runs a command of OCI without a home folder', { skip }, () => {
  const { status, stderr } = runNameless(mainOf('cli'), 'open', '--list', '--config', '/nonexistent/c.json')
  assert.match(stderr, /^error: .* \(config\.invalid\)\n/)
  assert.equal(status, 78)
})
