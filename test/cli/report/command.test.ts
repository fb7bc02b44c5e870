/** The `report` commands as processes: stdout, stderr and exit code. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { toRfc3339 } from '#core/time.ts'
import { MEASUREMENT, mint, noon, testAuthority } from '../../amd.ts'
import { temporaryFolder } from '../../lab/emulator/testEmulator.ts'
import { cli } from '../process.ts'

const amd = await testAuthority()
const at = toRfc3339(noon(amd))
const { bytes, certs } = mint(amd)

async function setUp(t: Parameters<typeof temporaryFolder>[0]) {
  const folder = await temporaryFolder(t)
  await mkdir(join(folder, 'roots/Genoa'), { recursive: true })
  const files = {
    'report.bin': bytes,
    'kernel.bin': Buffer.concat([Buffer.alloc(32), bytes, Buffer.alloc(2784)]),
    'vcek.der': certs[0] ?? '',
    'roots/Genoa/ark.der': amd.arkDer,
    'roots/Genoa/ask.der': amd.askDer,
  }
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  const report = join(folder, 'report.bin')
  const roots = ['--roots', join(folder, 'roots')]
  const verify = ['report', 'verify', '--report', report, '--cert', join(folder, 'vcek.der'), '--at', at]
  return { folder, report, roots, verify }
}

test('replaced roots cause a warning on stderr, with text and with JSON', async (t) => {
  const { roots, verify } = await setUp(t)
  const json = await cli(...verify, ...roots, '--json')
  assert.equal(json.code, 0)
  assert.match(json.stderr, /^warning: --roots: .* replaces AMD's pinned roots; .*\n$/)
  const { verdict, reasons, report, ...rest } = JSON.parse(json.stdout)
  assert.deepEqual([verdict, reasons, rest.roots], ['accepted', [], 'replaced'])
  const { version, product, measurement, reportData, hostData, chipId, policy, vmpl, signingKey } = report
  assert.deepEqual(
    { version, product, measurement, reportData, hostData, chipId, policy: policy.value, vmpl, signingKey },
    {
      version: 3,
      product: 'Genoa',
      measurement: MEASUREMENT,
      reportData: '5a'.repeat(64),
      hostData: '00'.repeat(32),
      chipId: amd.hardwareId,
      policy: '0x0000000000030000',
      vmpl: 0,
      signingKey: 'vcek',
    },
  )
  assert.deepEqual(Object.keys(report.tcb), ['reported', 'committed', 'current', 'launch'])
  const text = await cli(...verify, ...roots)
  assert.equal(text.code, 0)
  assert.match(text.stderr, /^warning: /)
  assert.match(text.stdout, /^ACCEPTED .*\n.*\nROOTS REPLACED /)
})

test("AMD's own roots refuse the same report, without a warning", async (t) => {
  const { verify } = await setUp(t)
  const { code, stdout, stderr } = await cli(...verify)
  assert.deepEqual([code, stderr], [1, ''])
  assert.match(stdout, /^REFUSED .*\n/)
  assert.match(stdout, /\nchain\.untrusted {2}certs\n/)
})

test('show prints fields, or the command that cuts the report out', async (t) => {
  const { folder, report } = await setUp(t)
  const text = await cli('report', 'show', report)
  assert.deepEqual([text.code, text.stderr], [0, ''])
  assert.match(text.stdout, /^CLAIMED /)
  const json = await cli('report', 'show', report, '--json')
  const { verified, problem, fields } = JSON.parse(json.stdout)
  assert.deepEqual([json.code, verified, problem, fields[0].name], [0, false, null, 'VERSION'])
  const behind = await cli('report', 'show', join(folder, 'kernel.bin'))
  assert.deepEqual([behind.code, behind.stdout], [2, ''])
  assert.match(
    behind.stderr,
    /^error: .*tail -c \+33 FILE \| head -c 1184 > report\.bin" \(report\.malformed\)\n {2}remedy: .+\n$/,
  )
  await writeFile(join(folder, 'zero.bin'), Buffer.concat([bytes.subarray(0, 0x330), Buffer.alloc(368, 1)]))
  const reserved = await cli('report', 'show', join(folder, 'zero.bin'))
  assert.equal(reserved.code, 1)
  assert.match(reserved.stdout, /\nNOT ALLOWED .*\(report\.invalid\)\n/)
})

const usage: readonly (readonly [readonly string[], RegExp])[] = [
  [['report'], /the command is not complete \(usage\.invalid\)/],
  [['report', 'verify'], /--report .*\(usage\.invalid\)/],
  [['report', 'verify', '--report', '/nonexistent'], /\(input\.unreadable\)/],
  [['report', 'verify', '--report', '/dev/null', '--at', 'now'], /\(usage\.invalid\)/],
  [['report', 'verify', '--report', '/dev/null', '--insecure'], /unknown option .*\(usage\.invalid\)/],
  [['report', 'show'], /\(usage\.invalid\)/],
  [['report', 'show', '/nonexistent'], /\(input\.unreadable\)/],
]
for (const [parameters, expected] of usage)
  test(`"${parameters.join(' ')}" is wrong, and says why: 2`, async () => {
    const { code, stdout, stderr } = await cli(...parameters)
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, /^error: /m)
    assert.match(stderr, expected)
  })
