/** `policy rotate` and `policy root`: what a signer needs beside an editor when keys change. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { rotated } from '#cli/policy/rotation.ts'
import { exportJwk, P256Jwk, P384Jwk, type SigningJwk, thumbprint } from '#core/jwk.ts'
import { type Policy, PolicySchema } from '#core/policy/policy.ts'
import { datasetOf, permissionOf, policyOf, root } from '../../core/release/releaseWorld.ts'
import { id, temporaryFolder } from '../../lab/emulator/testEmulator.ts'
import { cli, expectFailure } from '../process.ts'
import { draft, setUp } from './govern.ts'

const p384 = () => P384Jwk.parse(exportJwk(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey))
const p256 = () => P256Jwk.parse(exportJwk(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey))
const nothing = {
  dataset: undefined,
  client: undefined,
  sealingKey: undefined,
  keyId: undefined,
  idKey: undefined,
  consentKey: undefined,
  consentVaultKey: undefined,
  clientKey: undefined,
  recipient: undefined,
  auditKey: undefined,
  drop: [],
  exclude: [],
}
const before = policyOf({
  datasets: [
    datasetOf({ permissions: [permissionOf({ id: 'one' }), permissionOf({ id: 'two', client: 'other' })] }),
  ],
})
const [dataset] = before.datasets
const [client] = before.clients
assert.ok(dataset && client)
/** The policy with this dataset and client changed. */
const having = (changes: {
  readonly dataset?: object
  readonly client?: object
  readonly policy?: object
}) => ({
  ...before,
  datasets: [{ ...dataset, ...changes.dataset }],
  clients: [{ ...client, ...changes.client }, ...before.clients.slice(1)],
  ...changes.policy,
})

test('keys for what exists are added, the others are replaced, and nothing else changes', () => {
  const [sealingKey, clientKey, auditKey] = [p384(), p384(), p256()]
  const idKey = { ...dataset.idKey, wrapped: 'A'.repeat(64) }
  const recipient = {
    ...dataset.permissions[0]?.recipient,
    keyVersionId: 'ocid1.keyversion.oc1..two',
  } as never
  const keyId = 'ocid1.key.oc1..second'
  const recipients = dataset.permissions.map((each) =>
    each.client === client.id ? { ...each, recipient } : each,
  )
  const cases: readonly (readonly [Partial<Parameters<typeof rotated>[1]>, Policy])[] = [
    [{}, before],
    [{ sealingKey }, having({ dataset: { sealingKeys: [...dataset.sealingKeys, sealingKey] } })],
    [{ keyId }, having({ dataset: { keyIds: [...dataset.keyIds, keyId] } })],
    [{ idKey }, having({ dataset: { idKey } })],
    [
      { consentKey: sealingKey, consentVaultKey: keyId },
      having({ dataset: { consent: { keys: [sealingKey], keyIds: [keyId] } } }),
    ],
    [{ clientKey }, having({ client: { keys: [...client.keys, clientKey] } })],
    [{ recipient }, having({ dataset: { permissions: recipients } })],
    [{ auditKey }, having({ policy: { auditKey } })],
    [
      { exclude: [String(root.keys[0]?.person)] },
      having({ policy: { excludedSigners: kidsOf(String(root.keys[0]?.person)) } }),
    ],
    [
      { sealingKey, drop: dataset.sealingKeys.map((key) => thumbprint(key)) },
      having({ dataset: { sealingKeys: [sealingKey] } }),
    ],
    [{ keyId, drop: [...dataset.keyIds] }, having({ dataset: { keyIds: [keyId] } })],
  ]
  for (const [rotation, after] of cases)
    assert.deepEqual(rotated(before, { ...nothing, client: client.id, ...rotation }, root), after)
})

test('a consent key is added; of the Vault keys of lists the new one comes first', () => {
  const [old, next] = [p384(), p384()]
  const [oldId, nextId] = ['ocid1.key.oc1..one', 'ocid1.key.oc1..two']
  const having = (keys: readonly unknown[], keyIds: readonly string[]) => ({ keys, keyIds })
  const policy = policyOf({ datasets: [datasetOf({ consent: { keys: [old], keyIds: [oldId] } })] })
  const consentAfter = (rotation: Partial<Parameters<typeof rotated>[1]>) =>
    rotated(policy, { ...nothing, ...rotation }, root).datasets[0]?.consent
  assert.deepEqual(consentAfter({ consentKey: next }), having([old, next], [oldId]))
  assert.deepEqual(consentAfter({ consentVaultKey: nextId }), having([old], [nextId, oldId]))
  assert.deepEqual(consentAfter({ consentVaultKey: oldId }), having([old], [oldId]))
  assert.deepEqual(consentAfter({ consentKey: next, drop: [thumbprint(old)] }), having([next], [oldId]))
})

const kidsOf = (person: string) =>
  root.keys.filter((key) => key.person === person).map(({ jwk }) => thumbprint(jwk))

test('a name that the policy or the root does not have is refused; one that is not given must be the only one', () => {
  const key = p384()
  for (const rotation of [
    { sealingKey: key, dataset: 'none' },
    { clientKey: key, client: 'none' },
    { drop: [thumbprint(key)] },
    { exclude: ['no one'] },
  ])
    assert.throws(() => rotated(before, { ...nothing, ...rotation }, root), { code: 'usage.invalid' })
  const two = { ...before, datasets: [dataset, { ...dataset, id: 'second' }] }
  assert.throws(() => rotated(two, { ...nothing, sealingKey: key }, root), { code: 'usage.invalid' })
  assert.equal(
    rotated(two, { ...nothing, sealingKey: key, dataset: 'second' }, root).datasets[1]?.sealingKeys.length,
    dataset.sealingKeys.length + 1,
  )
  // A policy without any key of a kind breaks its form, which signing refuses.
  const none = rotated(before, { ...nothing, drop: dataset.keyIds.slice() }, root)
  assert.equal(PolicySchema.safeParse(none).success, false)
})

test('policy rotate: the next number, another identity key, and what ends with an excluded signer', async (t) => {
  const { at, run, write, publish, withConfig, inForce } = await setUp(t)
  const quorum = [at('ada.pem'), at('ben')] as const
  const rotate = (...parameters: readonly string[]) => cli('policy', 'rotate', ...parameters, ...withConfig)
  expectFailure(await rotate('--out', at('early.json')), 'policy.unsuitable', 1)
  await publish(await write('p1.json', draft()), ...quorum)
  await writeFile(
    at('fresh.pub'),
    generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }),
  )
  const grantCa = ['--grant-ca', id('key', 'grant-ca'), '--freshness-key', at('fresh.pub')]
  await run('policy', 'verifier-keys', ...grantCa, '--out', at('keys.json'))
  await publish(at('keys.json'), ...quorum)
  await run('revoke', '--permission', 'one', '--key', at('ada.pem'), '--yes')
  await run('revoke', '--permission', 'two', '--key', at('ben'), '--yes')
  await run('restore', '--permission', 'one', '--out', at('restore.json'))
  await publish(at('restore.json'), ...quorum)

  const parameters = [
    '--identity-key',
    id('key', 'identity'),
    '--exclude-signer',
    'ben',
    '--out',
    at('p2.json'),
  ]
  const { code, stdout, stderr } = await rotate(...parameters)
  assert.equal(code, 0, stderr)
  assert.match(stdout, /^Policy 1 → 2 of hospital/)
  assert.deepEqual(stderr.trimEnd().split('\n'), [
    'warning: --exclude-signer: verifier keys 1 end with it, and every release: publish others first',
    'warning: --exclude-signer: revoked again, until others restore it: one',
    'warning: --exclude-signer: no longer revoked, unless others revoke it first: two',
  ])
  const policy = PolicySchema.parse(JSON.parse(await readFile(at('p2.json'), 'utf8')))
  assert.equal(policy.seq, 2)
  assert.notEqual(policy.datasets[0]?.idKey.wrapped, draft().datasets[0]?.idKey.wrapped)
  // What it warned of is what happens.
  await publish(at('p2.json'), at('ada.pem'), id('key', 'sealing'))
  const { revocation, verifierKeys } = await inForce()
  assert.deepEqual([revocation.permissions, verifierKeys?.document], [['one'], undefined])
  expectFailure(await rotate('--out', at('p2.json')), 'output.exists', 2)
})

test('policy root: printed, or in place of the root of configurations, of which nothing else changes', async (t) => {
  const folder = await temporaryFolder(t)
  const at = (name: string) => join(folder, name)
  const keys = ['ada', 'ben', 'cai'].map((person) => {
    const { publicKey } = generateKeyPairSync('ed25519')
    return { person, publicKey, jwk: exportJwk(publicKey) as SigningJwk }
  })
  const [ada, ben, cai] = keys
  assert.ok(ada && ben && cai)
  for (const { person, publicKey } of keys)
    await writeFile(at(`${person}.pub`), publicKey.export({ format: 'pem', type: 'spki' }))
  await writeFile(at('cai.json'), JSON.stringify({ jwk: cai.jwk, keyId: 'k', keyVersionId: 'v' }))
  const signer = (person: string, file = `${person}.pub`) => ['--signer', `${person}=${at(file)}`]
  const pinOf = (...members: readonly (typeof keys)[number][]) =>
    members.map(({ person, jwk }) => ({ person, jwk }))
  const printed = await cli('policy', 'root', ...signer('ada'), ...signer('ben'))
  assert.deepEqual(JSON.parse(printed.stdout), { keys: pinOf(ada, ben), threshold: 2 })

  const providerRoot = JSON.parse(printed.stdout)
  const files = {
    'verifier.json': { listen: { port: 1 }, providerRoot, tenant: 'hospital' },
    'worker.json': { trust: { client: 'research', providerRoot }, batch: [1, null, 'x'] },
    'other.json': { tenant: 'hospital' },
  }
  for (const [name, content] of Object.entries(files)) await writeFile(at(name), JSON.stringify(content))
  const into = ['--into', at('verifier.json'), at('worker.json')]
  const add = await cli(
    'policy',
    'root',
    '--from',
    at('worker.json'),
    ...signer('cai', 'cai.json'),
    '--threshold',
    '3',
    ...into,
  )
  assert.equal(add.code, 0, add.stderr)
  const next = { keys: pinOf(ada, ben, cai), threshold: 3 }
  const read = async (name: string) => JSON.parse(await readFile(at(name), 'utf8'))
  assert.deepEqual(await read('verifier.json'), { ...files['verifier.json'], providerRoot: next })
  assert.deepEqual(await read('worker.json'), {
    ...files['worker.json'],
    trust: { ...files['worker.json'].trust, providerRoot: next },
  })
  const stored = await readdir(folder)
  for (const [code, exit, ...parameters] of [
    ['usage.invalid', 2, ...signer('ada')],
    ['usage.invalid', 2, ...signer('ada'), ...signer('ben', 'ada.pub')],
    ['usage.invalid', 2, ...signer('ada'), ...signer('ben'), '--threshold', '3'],
    ['usage.invalid', 2, ...signer('ada'), ...signer('ben'), '--threshold', 'two'],
    ['usage.invalid', 2, '--signer', at('ada.pub')],
    ['config.invalid', 78, '--from', at('other.json')],
    ['config.invalid', 78, '--from', at('worker.json'), '--into', at('other.json')],
    ['policy.malformed', 2, ...signer('ada'), ...signer('ben', 'other.json')],
  ] as const)
    expectFailure(await cli('policy', 'root', ...parameters), code, exit)
  assert.deepEqual(await readdir(folder), stored)
})
