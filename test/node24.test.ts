/** What npm's scripts say on a machine where `npm ci` brought no Node 24. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const { scripts }: { readonly scripts: Readonly<Record<string, string>> } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
)
const inTypeScript = Object.entries(scripts).filter(([, command]) => /\.ts\b/.test(command))

/** The PATH of npm's scripts without the folders of packages. */
const path = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes('node_modules'))
  .join(delimiter)

function runWithoutPackages(command: string) {
  return spawnSync('sh', ['-c', command], { cwd: root, env: { PATH: path }, encoding: 'utf8' })
}

const own = runWithoutPackages('node --version').stdout?.trim() ?? ''
const skip = /^v(20|22|23)\./.test(own)
  ? false
  : `this machine's own Node is ${own || 'absent'}, not an older one`

test('every script that runs TypeScript is known here', () => {
  assert.deepEqual(
    inTypeScript.map(([name]) => name),
    ['cli', 'demo', 'test', 'docs', 'bench', 'faults', 'fuzz', 'mutate'],
  )
})

for (const [name, command] of inTypeScript)
  test(`npm run ${name} on an older Node: a sentence, its remedy and 78`, { skip }, () => {
    const { status, stdout, stderr } = runWithoutPackages(command)
    assert.match(
      stderr,
      /^error: this is Node [\d.]+; confidential-worker needs 24\.12 or newer \(config\.invalid\)\n {2}remedy: run "npm ci".*\n$/,
    )
    assert.deepEqual({ status, stdout }, { status: 78, stdout: '' })
  })

test('it lets the Node of this repository pass', () => {
  const { status, stderr } = spawnSync(process.execPath, ['--require', './node24.cjs', '-e', ''], {
    cwd: root,
    encoding: 'utf8',
  })
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' })
})
