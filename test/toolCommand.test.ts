import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const TOOLS = {
  bench: '../bench/main.ts',
  fuzz: './fuzz/main.ts',
  mutate: './mutation/main.ts',
} as const

const folder = mkdtempSync(join(tmpdir(), 'tool-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const keep = (name: string, text: string) => {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

function run(tool: keyof typeof TOOLS, args: readonly string[]) {
  const program = fileURLToPath(new URL(TOOLS[tool], import.meta.url))
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', program, ...args],
    { encoding: 'utf8' },
  )
  return { exitCode: status, stdout, stderr }
}

for (const tool of ['bench', 'fuzz', 'mutate'] as const)
  describe(`npm run ${tool}`, { concurrency: 2 }, () => {
    for (const flag of ['--help', '-h'])
      test(`${flag} prints the usage`, () => {
        const { exitCode, stdout, stderr } = run(tool, [flag])
        assert.equal(exitCode, 0)
        assert.equal(stderr, '')
        assert.match(stdout, new RegExp(`^usage: npm run ${tool} -- `))
        assert.match(stdout, /\nexit codes:\n/)
      })
  })

const kept = keep('kept.json', JSON.stringify({ target: 'nothing', input: ['00'] }))
const foreign = keep('foreign.json', '{"target":1}')

const MISTAKES: readonly (readonly [keyof typeof TOOLS, readonly string[], RegExp])[] = [
  ['bench', ['--nope'], /^unknown option '--nope'; /],
  ['bench', ['--json=3'], /^option '--json' does not take an argument; /],
  [
    'bench',
    ['nothing'],
    /^no benchmark is named "nothing", expected one of release, floods, scopes, sealed, memory, snp, snp-peers; /,
  ],
  ['bench', ['sealed', 'snp'], /^one benchmark per run, not sealed, snp; /],
  ['fuzz', ['--nope'], /^unknown option '--nope'; /],
  ['fuzz', ['--inputs'], /^option '--inputs <value>' argument missing; /],
  ['fuzz', ['nothing'], /^no target is named "nothing", expected one of report, .*; /],
  ['fuzz', ['report', 'der'], /^one target per run, or none for all, not report, der; /],
  ['fuzz', ['--inputs', 'x'], /^--inputs is "x", expected a whole number from 0 to 2147483647; /],
  ['fuzz', ['--seed', ''], /^--seed is "", expected a whole number from 0 to 2147483647; /],
  ['fuzz', ['--from', '1.5'], /^--from is "1.5", expected a whole number /],
  ['fuzz', ['--seconds', '0'], /^--seconds is "0", expected a number above 0; /],
  ['fuzz', ['--replay', join(folder, 'absent')], /^--replay: ENOENT: no such file .*; /],
  ['fuzz', ['--replay', foreign], /^--replay: .*foreign\.json is not an input that a finding kept; /],
  ['fuzz', ['--replay', kept], /^no target is named "nothing", expected one of /],
  ['fuzz', ['der', '--replay', kept], /^--replay takes its target from the file, not from "der"; /],
  ['mutate', ['--nope'], /^unknown option '--nope'; /],
  [
    'mutate',
    ['nothing'],
    /^no source below src begins with "nothing", expected one within core\/snp\/, .*; /,
  ],
  [
    'mutate',
    ['core/snp/der', 'nothing'],
    /^no source below src begins with "nothing", expected one within core\/snp\/, .*; /,
  ],
]

describe('a wrong command line is answered with one sentence and exit code 2', { concurrency: 2 }, () => {
  for (const [tool, args, sentence] of MISTAKES)
    test([tool, ...args].join(' ').replaceAll(folder, ''), () => {
      const { exitCode, stdout, stderr } = run(tool, args)
      assert.match(stderr, sentence)
      assert.match(stderr, /^[^\n]*; --help shows the usage\n$/)
      assert.equal(stdout, '')
      assert.equal(exitCode, 2)
    })
})

test('npm run bench lists the benchmarks', () => {
  const { exitCode, stdout } = run('bench', [])
  assert.equal(exitCode, 0)
  assert.deepEqual(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.trim().split(' ')[0]),
    ['release', 'floods', 'scopes', 'sealed', 'memory', 'snp', 'snp-peers'],
  )
})

// No vector loads this file, so its changes cost nothing; the run still needs every unchanged vector to pass.
test('npm run mutate runs the vectors and prints the changes that survive', () => {
  const { exitCode, stdout, stderr } = run('mutate', ['core/snp/certificateUrl', '--vectors', '--json'])
  assert.match(stderr, /^[1-9]\d* mutants\n/)
  const outcomes: readonly { readonly file: string; readonly kind: string }[] = JSON.parse(stdout)
  assert.ok(outcomes.length > 0)
  for (const { file, kind } of outcomes)
    assert.deepEqual([file, kind], ['src/core/snp/certificateUrl.ts', 'survived'])
  assert.equal(exitCode, 1)
})
