import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cli } from './process.ts'

const TYPED: readonly (readonly [readonly string[], RegExp])[] = [
  [[], /^error: no command is given \(usage\.invalid\)\n {2}remedy: /],
  [['bogus'], /^error: there is no command "bogus" \(usage\.invalid\)/],
  [['seal'], /^error: .*--config.* \(usage\.invalid\)/],
  [['evidence'], /^error: the command is not complete \(usage\.invalid\)/m],
  [['open', '--config', '/dev/null', '--what'], /^error: unknown option '--what' \(usage\.invalid\)/],
]
for (const [parameters, expected] of TYPED)
  test(`"${parameters.join(' ')}" is a wrong command line: 2`, async () => {
    const { code, stdout, stderr } = await cli(...parameters)
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, expected)
  })

const COMMANDS = [
  'seal',
  'upload',
  'open',
  'freshness',
  'evidence verify',
  'evidence report',
  'evidence query',
  'evidence blast-radius',
  'evidence prove',
  'evidence check-proof',
  'evidence export',
  'explain',
  'dead-letters list',
  'dead-letters show',
  'dead-letters retry',
  'report take',
  'report verify',
  'report show',
  'report conformance',
  'endorsements fetch',
  'endorsements show',
  'measure',
  'approve',
  'enrol authority',
  'enrol request',
  'enrol issue',
  'enrol renew',
  'enrol revoke',
  'enrol crl',
  'enrol list',
  'policy init',
  'policy check',
  'policy say',
  'policy diff',
  'policy schema',
  'policy rotate',
  'policy root',
  'policy verifier-keys',
  'policy key',
  'policy sign',
  'policy publish',
  'revoke',
  'restore',
  'consent start',
  'consent withdraw',
  'consent restore',
  'consent check',
  'consent list',
  'doctor worker',
  'doctor verifier',
  'doctor function',
  'doctor sealer',
  'doctor auditor',
  'doctor researcher',
  'worker',
  'verifier',
  'function',
]

test('--help lists every command of the image, and no laboratory', async () => {
  const { code, stdout } = await cli('--help')
  assert.equal(code, 0)
  const listed = stdout.slice(stdout.indexOf('Commands:')).matchAll(/^ {2}([a-z-]+)(?= )/gm)
  assert.deepEqual(
    [...listed].map(([, name]) => name),
    [...new Set(COMMANDS.map((command) => command.split(' ')[0]))],
  )
})

for (const command of COMMANDS)
  test(`${command} --help has an example and the exit codes`, async () => {
    const { code, stdout } = await cli(...command.split(' '), '--help')
    assert.equal(code, 0)
    assert.match(stdout, new RegExp(`\n\nExamples?\n {2}confidential-worker ${command} `))
    assert.match(stdout, /\n\nExit codes\n {2}0 {2,}\w/)
  })

test('report verify reports a file that is not a report in the JSON of every verdict', async () => {
  const { code, stdout } = await cli('report', 'verify', '--report', import.meta.filename, '--json')
  assert.equal(code, 2)
  const { verdict, reasons } = JSON.parse(stdout)
  assert.equal(verdict, 'refused')
  assert.deepEqual(
    reasons.map((reason: { code: string }) => reason.code),
    ['report.malformed'],
  )
})
