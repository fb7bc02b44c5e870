/** `approve` as a process: what is accepted becomes reference values by which the report is accepted. */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { toBase64url } from '#core/bytes.ts'
import { PolicyReferenceSchema } from '#core/policy/referenceSchema.ts'
import { MEASUREMENT, mint, testAuthority } from '../../amd.ts'
import { temporaryFolder } from '../../lab/emulator/testEmulator.ts'
import { cli, type Outcome } from '../process.ts'

const amd = await testAuthority()
const TRUST = toBase64url(Buffer.alloc(32, 3))

async function setUp(t: TestContext, minted = mint(amd)) {
  const folder = await temporaryFolder(t)
  const at = (name: string) => join(folder, name)
  await mkdir(at('roots/Genoa'), { recursive: true })
  const files = {
    'report.bin': minted.bytes,
    'vcek.der': minted.certs[0] ?? '',
    'roots/Genoa/ark.der': amd.arkDer,
    'roots/Genoa/ask.der': amd.askDer,
  }
  for (const [name, content] of Object.entries(files)) await writeFile(at(name), content)
  const evidence = ['--report', at('report.bin'), '--cert', at('vcek.der'), '--roots', at('roots')]
  return {
    at,
    approve: (...more: readonly string[]) => cli('approve', ...evidence, '--id', 'worker-2', ...more),
  }
}

const reason = ({ stderr }: Outcome) => /^error: .* \(([a-z.-]+)\)$/m.exec(stderr)?.[1]

test('prints reference values of the launch, of its processor, of the worker', async (t) => {
  const { approve } = await setUp(t)
  const { code, stdout, stderr } = await approve(
    '--trust',
    TRUST,
    '--measurement',
    MEASUREMENT,
    '--days',
    '10',
  )
  assert.equal(code, 0, stderr)
  const reference = PolicyReferenceSchema.parse(JSON.parse(stdout))
  const { id, assurance, measurements, trust, processors, chips, notBefore, notAfter, guestPolicy } =
    reference
  assert.deepEqual(
    { id, assurance, measurements, trust, chips, days: (notAfter - notBefore) / 86_400 - 1 },
    {
      id: 'worker-2',
      assurance: 'measured',
      measurements: [MEASUREMENT],
      trust: [TRUST],
      chips: 'any',
      days: 10,
    },
  )
  assert.deepEqual(
    processors.map(({ product, model, floor }) => [product, model, floor.snp]),
    [['Genoa', 17, 23]],
  )
  assert.equal(guestPolicy.debug, 'forbidden')
})

test('puts them into a draft, in place of a placeholder or of those with the same id', async (t) => {
  const { at, approve } = await setUp(t)
  await writeFile(at('form.json'), JSON.stringify({ seq: 1, referenceValues: ['<reference values>'] }))
  const narrow = ['--trust', TRUST, '--same-chip', '--same-firmware', '--into', at('form.json')]
  for (let time = 0; time < 2; time++) {
    const { code, stderr } = await approve(...narrow)
    assert.equal(code, 0, stderr)
    // Nothing says what should have been launched.
    assert.match(stderr, /warning: --measurement: nothing was expected/)
  }
  const { seq, referenceValues } = JSON.parse(await readFile(at('form.json'), 'utf8'))
  assert.deepEqual([seq, referenceValues.length], [1, 1])
  const [{ chips, processors }] = referenceValues
  assert.deepEqual(chips, [amd.hardwareId])
  assert.ok(processors[0].floor.snp >= 23)

  PolicyReferenceSchema.parse(referenceValues[0])
  await writeFile(at('none.json'), '{}')
  const none = await approve('--trust', TRUST, '--into', at('none.json'))
  assert.deepEqual([none.code, none.stdout, reason(none)], [2, '', 'policy.malformed'])
})

test('refuses another launch, a machine with debugging, a stranger to AMD, and wrong options', async (t) => {
  const { approve, at } = await setUp(t)
  const other = await approve('--trust', TRUST, '--measurement', '00'.repeat(48))
  assert.deepEqual([other.code, other.stdout, reason(other)], [1, '', 'measurement.unknown'])
  const amds = await cli(
    'approve',
    '--report',
    at('report.bin'),
    '--cert',
    at('vcek.der'),
    '--id',
    'a',
    '--trust',
    TRUST,
  )
  assert.deepEqual([amds.code, reason(amds)], [1, 'chain.untrusted'])
  const debug = await setUp(t, mint(amd, { guestPolicy: { debug: true } }))
  const refused = await debug.approve('--trust', TRUST)
  assert.deepEqual([refused.code, reason(refused)], [1, 'guest-policy.debug'])
  for (const wrong of [
    ['--trust', 'x'],
    ['--trust', TRUST, '--assurance', 'full'],
    ['--trust', TRUST, '--days', '0'],
    [],
  ]) {
    const { code, stdout } = await approve(...wrong)
    assert.deepEqual([code, stdout], [2, ''])
  }
})
