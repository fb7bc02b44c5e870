/** `policy init`, `check`, `say`, `diff` and `schema` as processes. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { utf8 } from '#core/bytes.ts'
import { exportJwk } from '#core/jwk.ts'
import { signGeneral } from '#core/jws.ts'
import { PolicyFormat, policyJsonSchema } from '#core/policy/policy.ts'
import { testAuthority } from '../../amd.ts'
import { datasetOf, NOW, policyOf, signers } from '../../core/release/releaseWorld.ts'
import { temporaryFolder } from '../../lab/emulator/testEmulator.ts'
import { cli, expectFailure } from '../process.ts'

const p384 = () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey
const pem = (key: KeyObject) => key.export({ format: 'pem', type: 'spki' })

test('a form is refused until each placeholder is filled in, then it is suitable', async (t) => {
  const folder = await temporaryFolder(t)
  const at = (name: string) => join(folder, name)
  const basics = [
    '--tenant',
    'hospital',
    '--audience',
    'https://v.example',
    '--client',
    'acme',
    '--dataset',
    'cohort',
  ]
  const form = await cli('policy', 'init', ...basics, '--out', at('form.json'), '--json')
  assert.equal(form.code, 0, form.stderr)
  const { open } = JSON.parse(form.stdout)
  assert.deepEqual(
    open.map((problem: string) => problem.split(':')[0]),
    [
      'referenceValues.0',
      'clients.0.keys.0',
      'auditKey',
      'datasets.0.sealingKeys.0',
      'datasets.0.keyIds.0',
      'datasets.0.idKey',
      'datasets.0.permissions.0.scopes.0',
      'datasets.0.permissions.0.workload',
      'datasets.0.permissions.0.recipient',
    ],
  )
  const unfilled = await cli('policy', 'check', at('form.json'), '--json')
  assert.deepEqual(
    [unfilled.code, JSON.parse(unfilled.stdout)],
    [2, { verdict: 'malformed', problems: open }],
  )
  expectFailure(await cli('policy', 'say', at('form.json')), 'policy.malformed', 2)

  const [reference] = policyOf().referenceValues
  const rsa = exportJwk(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey)
  const amd = await testAuthority()
  const files = {
    'reference.json': JSON.stringify(reference),
    'client.pem': pem(p384()),
    'audit.pem': pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey),
    'sealing.json': JSON.stringify({ jwk: exportJwk(p384()) }),
    'recipient.json': JSON.stringify({ jwk: rsa, keyId: 'ocid1.key.r', keyVersionId: 'ocid1.keyversion.r' }),
    'ark.der': amd.arkDer,
  }
  for (const [name, content] of Object.entries(files)) await writeFile(at(name), content)
  const options = [
    ...[
      '--scope',
      'system/Observation.rs',
      '--reference',
      at('reference.json'),
      '--client-key',
      at('client.pem'),
    ],
    ...['--audit-key', at('audit.pem'), '--sealing-key', at('sealing.json'), '--key-id', 'ocid1.key.seal'],
    ...['--workload', `fhir-summary@${'07'.repeat(32)}`, '--recipient', at('recipient.json')],
    ...['--simulated-root', at('ark.der')],
  ]
  const made = await cli('policy', 'init', ...basics, ...options, '--out', at('policy.json'), '--json')
  assert.equal(made.code, 0, made.stderr)
  assert.deepEqual(
    JSON.parse(made.stdout).open.map((problem: string) => problem.split(':')[0]),
    ['datasets.0.idKey'],
  )
  const policy = JSON.parse(await readFile(at('policy.json'), 'utf8'))
  policy.datasets[0].idKey = datasetOf().idKey
  await writeFile(at('policy.json'), JSON.stringify(policy, undefined, 2))
  const suitable = await cli('policy', 'check', at('policy.json'))
  assert.deepEqual([suitable.code, suitable.stderr], [0, ''], suitable.stdout)

  const next = await cli(
    'policy',
    'init',
    '--from',
    at('policy.json'),
    '--days',
    '60',
    '--out',
    at('next.json'),
  )
  assert.equal(next.code, 0, next.stderr)
  const compared = await cli('policy', 'diff', at('policy.json'), at('next.json'), '--json')
  const { from, to, changes } = JSON.parse(compared.stdout)
  assert.deepEqual([from, to], [1, 2])
  assert.ok(changes.every(({ where }: { where: string }) => where === 'policy'))
  expectFailure(
    await cli('policy', 'init', '--from', at('policy.json'), '--out', at('next.json')),
    'output.exists',
    2,
  )
})

test('check names every problem at once, of the form or of the rules', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'policy.json')
  const check = async (value: unknown) => {
    await writeFile(file, JSON.stringify(value))
    const { code, stdout } = await cli('policy', 'check', file, '--json')
    return { code, ...JSON.parse(stdout) }
  }
  const twice = policyOf({
    expiresAt: NOW + 100 * 86_400,
    datasets: [datasetOf(), datasetOf()],
    populations: [],
  })
  const { code, verdict, problems } = await check(twice)
  assert.deepEqual([code, verdict], [1, 'unsuitable'])
  assert.ok(problems.length >= 4, problems.join('\n'))
  const { seq, ...without } = policyOf()
  const malformed = await check({ ...without, extra: seq, tenant: 'A B' })
  assert.deepEqual([malformed.code, malformed.verdict, malformed.problems.length], [2, 'malformed', 3])
  const ended = await check(policyOf({ issuedAt: 1, expiresAt: 2 }))
  assert.deepEqual([ended.code, ended.problems], [1, ['the policy has ended at 1970-01-01 00:00:02 UTC']])
  await writeFile(file, 'no JSON')
  expectFailure(await cli('policy', 'check', file), 'policy.malformed', 2)
  expectFailure(await cli('policy', 'check', join(folder, 'none')), 'input.unreadable', 2)
})

test('a signed policy is read as its draft is', async (t) => {
  const folder = await temporaryFolder(t)
  const [draft, signed] = [join(folder, 'draft.json'), join(folder, 'signed.json')]
  await writeFile(draft, JSON.stringify(policyOf()))
  await writeFile(
    signed,
    utf8(JSON.stringify(await signGeneral(PolicyFormat, policyOf(), signers.slice(0, 1)))),
  )
  const [one, other] = [await cli('policy', 'say', draft), await cli('policy', 'say', signed)]
  assert.equal(one.code, 0, one.stderr)
  assert.equal(one.stdout, other.stdout)
  const same = await cli('policy', 'diff', draft, signed)
  assert.equal(same.stdout, 'Policy 7 → 7 of hospital: nothing changes.\n')
  assert.equal((await cli('policy', 'schema')).stdout, policyJsonSchema())
})
