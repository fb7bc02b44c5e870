import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const REPORTER = fileURLToPath(new URL('./reporter.ts', import.meta.url))

const FILES: Readonly<Record<string, string>> = {
  'test/core/passes.test.mjs': `
    import { describe, test } from 'node:test'
    describe('a suite', () => { test('one', () => console.log('chatter')); test('two', () => {}) })
    test('left out', { skip: 'no compiler' }, () => {})
    test('later', { todo: true }, () => { throw new Error('not yet') })`,
  'test/core/fails.test.mjs': `
    import assert from 'node:assert/strict'
    import { before, describe, test } from 'node:test'
    describe('a suite', () => {
      test('differs', () => assert.deepEqual({ port: 1 }, { port: 2 }))
      test('throws', () => { throw new Error('outer fault', { cause: new TypeError('inner fault') }) })
    })
    describe('a hook', () => { before(() => { throw new Error('no fixture') }); test('never runs', () => {}) })`,
  'test/e2e/crashes.test.mjs': `
    import { test } from 'node:test'
    test('exits', () => { console.error('last words'); process.exit(3) })`,
  'test/e2e/missing.test.mjs': `import './absent.mjs'`,
  'test/e2e/empty.test.mjs': `export {}`,
}

/** Runs `node --test` with the reporter over `names`, as `npm test` does without a terminal. */
function run(names: readonly string[]): {
  readonly exitCode: number | null
  readonly lines: readonly string[]
} {
  const folder = mkdtempSync(join(tmpdir(), 'reporter-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), FILES[name] ?? assert.fail(name))
  }
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, NO_COLOR: '1', FORCE_COLOR: undefined }
  const { status, stdout } = spawnSync(
    process.execPath,
    ['--test', `--test-reporter=${REPORTER}`, 'test/**/*.test.mjs'],
    { cwd: folder, env, encoding: 'utf8' },
  )
  return { exitCode: status, lines: stdout.trimEnd().split('\n') }
}

/** The closing lines, without the duration. */
const counts = (lines: readonly string[]) => lines.slice(-8, -1)
const between = (lines: readonly string[], first: string) => {
  const start = lines.indexOf(first)
  assert.notEqual(start, -1, `${first} is not in:\n${lines.join('\n')}`)
  return lines.slice(start, lines.indexOf('', start)).join('\n')
}

test('a green run prints its areas, its skipped tests and the counts', () => {
  const { exitCode, lines } = run(['test/core/passes.test.mjs', 'test/e2e/empty.test.mjs'])
  assert.equal(exitCode, 0)
  assert.deepEqual(counts(lines), [
    'ℹ tests 5',
    'ℹ suites 1',
    'ℹ pass 3',
    'ℹ fail 0',
    'ℹ cancelled 0',
    'ℹ skipped 1',
    'ℹ todo 1',
  ])
  assert.match(lines.at(-1) ?? '', /^ℹ duration_ms [\d.]+$/)
  assert.deepEqual(
    lines.slice(0, -8).map((line) => line.replace(/[\d.]+ s$/, 'N s')),
    [
      '✔ core                 1 file, 4 tests, N s',
      'warning: test/e2e/empty.test.mjs ran no test',
      '✔ e2e                  1 file, 0 tests, N s',
      'skipped 1 in test/core/passes.test.mjs: no compiler',
    ],
  )
})

test('a failure is printed once, with its place, message, diff and causes', () => {
  const { exitCode, lines } = run(['test/core/fails.test.mjs', 'test/core/passes.test.mjs'])
  assert.equal(exitCode, 1)
  assert.deepEqual(counts(lines), [
    'ℹ tests 7',
    'ℹ suites 3',
    'ℹ pass 2',
    'ℹ fail 2',
    'ℹ cancelled 1',
    'ℹ skipped 1',
    'ℹ todo 1',
  ])
  const differs = between(lines, '✖ a suite › differs')
  assert.match(differs, /^ {2}test\/core\/fails\.test\.mjs:5$/m)
  assert.match(differs, /^ {2}\+ {3}port: 1\n {2}- {3}port: 2$/m)
  const throws = between(lines, '✖ a suite › throws')
  assert.match(throws, /Error: outer fault\n.*fails\.test\.mjs:6:\d+\)\n {2}caused by TypeError: inner fault/)
  assert.match(between(lines, '✖ a hook'), /failed running before hook\n {2}Error: no fixture/)
  for (const text of ['outer fault', 'no fixture', '+   port: 1'])
    assert.equal(lines.filter((line) => line.includes(text)).length, 1, text)
  assert.ok(!lines.some((line) => line.includes('not yet')), 'a failing todo is not a failure')
})

test('a file that crashes or does not load is a failure with what it wrote', () => {
  const { exitCode, lines } = run(['test/e2e/crashes.test.mjs', 'test/e2e/missing.test.mjs'])
  assert.equal(exitCode, 1)
  assert.ok(counts(lines).includes('ℹ fail 2'), lines.join('\n'))
  const text = lines.join('\n')
  assert.match(text, /✖ the test file ended with exit code 3\n {2}test\/e2e\/crashes.*\n.*\n {4}last words\n/)
  assert.match(text, /✖ the test file ended with exit code 1\n {2}test\/e2e\/missing\.test\.mjs\n/)
  assert.match(text, /^ {4}Error \[ERR_MODULE_NOT_FOUND\]: Cannot find module '.*absent\.mjs'/m)
})
