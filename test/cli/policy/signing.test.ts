/** Two signers put documents in force with the commands alone, revoke with one signature, and restore with two. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readerOf } from '#adapters/evidence/collection.ts'
import { readPrivateKey } from '#adapters/system/privateKey.ts'
import type { GovernConfig } from '#cli/config.ts'
import type { ErrorCode } from '#core/errors.ts'
import { exportJwk, P384Jwk, thumbprint } from '#core/jwk.ts'
import { GovernanceBucket } from '#core/policy/bucket.ts'
import { governanceInForce } from '#core/policy/inForce.ts'
import type { Policy } from '#core/policy/policy.ts'
import { toUnixSeconds } from '#core/time.ts'
import { DEPLOYMENT, datasetOf, permissionOf, policyOf } from '../../core/release/releaseWorld.ts'
import { id, PROVIDER_NAMESPACE } from '../../lab/emulator/testEmulator.ts'
import { managerOf, startServices } from '../emulatedServices.ts'
import { cli, expectFailure } from '../process.ts'

const DAY = 86_400
const now = Math.floor(Date.now() / 1000)
const hasSsh = spawnSync('ssh-keygen', ['-?']).error === undefined
const skip = hasSsh ? false : 'ssh-keygen is absent'
const BUCKETS = { governance: 'governance' }

/** A policy of now: only its number and permissions differ from test to test. */
function draft(changes: Partial<Policy> = {}): Policy {
  const window = { notBefore: now - DAY, notAfter: now + DAY }
  const permissions = [permissionOf({ id: 'one', ...window }), permissionOf({ id: 'two', ...window })]
  return policyOf({
    seq: 1,
    issuedAt: now - 60,
    expiresAt: now + 30 * DAY,
    datasets: [datasetOf({ permissions })],
    ...changes,
  })
}

async function setUp(t: TestContext) {
  const { configs, emulator, folder } = await startServices(t)
  const at = (name: string) => join(folder, name)
  const keys = Object.fromEntries(
    ['ada', 'eve', 'spare'].map((name) => [name, generateKeyPairSync('ed25519').privateKey]),
  )
  for (const [name, key] of Object.entries(keys))
    await writeFile(at(`${name}.pem`), key.export({ format: 'pem', type: 'pkcs8' }))
  if (hasSsh) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'ben', '-f', at('ben')])
  else await copyFile(at('spare.pem'), at('ben'))
  const jwkOf = (key: KeyObject | undefined) => {
    assert.ok(key)
    return exportJwk(key)
  }
  const manager = managerOf(t, emulator, 'provider')
  const vaultKey = (await manager.vault.publicKey(id('key', 'sealing'))).key
  const root = {
    keys: [
      { person: 'ada', jwk: jwkOf(keys['ada']) },
      { person: 'ben', jwk: jwkOf(await readPrivateKey(at('ben'))) },
      { person: 'cai', jwk: jwkOf(vaultKey) },
    ],
    threshold: 2,
  } as GovernConfig['trust']['providerRoot']
  const { oci } = JSON.parse(await readFile(configs.seal, 'utf8'))
  const config = {
    trust: { providerRoot: root, audience: DEPLOYMENT.audience, simulation: true },
    tenant: DEPLOYMENT.tenant,
    oci: { ...oci, principal: { ...oci.principal, profile: 'governor' } },
    namespace: PROVIDER_NAMESPACE,
    buckets: BUCKETS,
  }
  await writeFile(at('govern.json'), JSON.stringify(config))
  const withConfig = ['--config', at('govern.json')]
  const run = async (...parameters: readonly string[]) => {
    const outcome = await cli(...parameters, ...withConfig, '--json')
    assert.equal(outcome.code, 0, outcome.stderr)
    return JSON.parse(outcome.stdout)
  }
  const refused = async (code: ErrorCode, exit: number, ...parameters: readonly string[]) =>
    expectFailure(await cli(...parameters, ...withConfig, '--json'), code, exit)
  const write = async (name: string, value: object) => {
    await writeFile(at(name), JSON.stringify(value))
    return at(name)
  }
  const inForce = async () => {
    const place = { namespace: PROVIDER_NAMESPACE, bucket: 'governance' }
    const bucket = new GovernanceBucket(readerOf(manager.store, place), root)
    await bucket.refresh()
    return governanceInForce(
      bucket.candidates,
      { root, deployment: DEPLOYMENT },
      toUnixSeconds(Math.floor(Date.now() / 1000)),
    )
  }
  return { at, run, refused, write, inForce, folder, config, withConfig }
}

test('two signers put a policy in force; one alone, a stranger or a lower number does not', async (t) => {
  const { at, run, refused, write, inForce, withConfig } = await setUp(t)
  const file = await write('p1.json', draft())
  const sign = (key: string, path = file) => ['policy', 'sign', path, '--key', key, '--yes']
  await refused('policy.unsigned', 1, 'policy', 'publish', file)
  await refused('signer.unknown', 1, ...sign(at('eve.pem')))
  await refused('signer.unusable', 2, ...sign(at('govern.json')))
  await refused('usage.invalid', 2, 'policy', 'sign', file, '--key', at('ada.pem'))

  const first = await run(...sign(at('ada.pem')))
  assert.deepEqual([first.file, first.persons, first.missing], [at('p1.signed.json'), ['ada'], 1])
  await refused('policy.unsuitable', 1, ...sign(at('ada.pem'), first.file))
  await refused('policy.unsigned', 1, 'policy', 'publish', first.file)
  const second = await run(...sign(at('ben'), first.file))
  assert.deepEqual([second.name, second.persons, second.missing], [first.name, ['ada', 'ben'], 0])
  const published = await run('policy', 'publish', first.file)
  assert.deepEqual([published.name, published.stated], [first.name, false])
  assert.equal((await inForce()).policy?.document?.name, first.name)
  // A second time changes nothing.
  assert.equal((await run('policy', 'publish', first.file)).name, first.name)

  // What each signer sees is the policy, and how it differs from the one in force.
  const wider = await write('p2.json', draft({ seq: 2, expiresAt: now + 31 * DAY }))
  const shown = await cli(...sign(at('ada.pem'), wider), ...withConfig)
  assert.equal(shown.code, 0, shown.stderr)
  assert.match(shown.stdout, /^Policy 2 of hospital.*AGAINST WHAT IS IN FORCE\n\nPolicy 1 → 2 .*\+\+ WIDER/s)
  await refused(
    'policy.unsuitable',
    1,
    ...sign(at('ada.pem'), await write('same.json', draft({ expiresAt: now + DAY }))),
  )
  await refused('policy.unsuitable', 1, ...sign(at('ada.pem'), await write('far.json', draft({ seq: 1002 }))))
  await refused(
    'policy.unsuitable',
    1,
    ...sign(at('ada.pem'), await write('other.json', draft({ seq: 2, tenant: 'b' }))),
  )
  await refused(
    'policy.unsuitable',
    1,
    ...sign(at('ada.pem'), await write('real.json', draft({ seq: 2, simulation: false }))),
  )
  await refused(
    'policy.unsuitable',
    1,
    ...sign(at('ada.pem'), await write('old.json', draft({ seq: 2, issuedAt: 1, expiresAt: 2 }))),
  )
  await refused('policy.malformed', 2, ...sign(at('ada.pem'), await write('no.json', { seq: 2 })))

  // A changed byte in a signature of the root, and a payload that is not what people are shown.
  const signed = JSON.parse(await readFile(first.file, 'utf8'))
  const [{ signature, ...rest }, ...others] = signed.signatures
  const forged = { ...rest, signature: `${signature.slice(0, -4)}AAAA` }
  await refused(
    'policy.unsuitable',
    1,
    'policy',
    'publish',
    await write('forged.json', { ...signed, signatures: [forged, ...others] }),
  )
  const spaced = Buffer.from(` ${Buffer.from(signed.payload, 'base64url')}`).toString('base64url')
  await refused(
    'policy.malformed',
    2,
    'policy',
    'publish',
    await write('spaced.json', { ...signed, payload: spaced }),
  )
})

test('an excluded signer neither signs nor counts', async (t) => {
  const { at, run, refused, write, config } = await setUp(t)
  const [ada] = config.trust.providerRoot.keys
  assert.ok(ada)
  const publish = async (name: string, policy: Policy, keys: readonly string[]) => {
    let file = await write(name, policy)
    for (const key of keys) file = (await run('policy', 'sign', file, '--key', key, '--yes')).file
    return file
  }
  const first = await publish('p1.json', draft({ excludedSigners: [thumbprint(ada.jwk)] }), [
    at('ada.pem'),
    at('ben'),
  ])
  const early = await publish('p2.json', draft({ seq: 2 }), [at('ada.pem'), at('ben')])
  await run('policy', 'publish', first)
  await refused('policy.unsigned', 1, 'policy', 'publish', early)
  await refused('signer.unknown', 1, 'revoke', '--permission', 'one', '--key', at('ada.pem'), '--yes')
})

test('verifier keys, with a Vault key among the signers', async (t) => {
  const { at, run, inForce } = await setUp(t)
  await writeFile(
    at('freshness.pub'),
    generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }),
  )
  const made = await run(
    ...['policy', 'verifier-keys', '--grant-ca', id('key', 'grant-ca')],
    ...['--freshness-key', at('freshness.pub'), '--out', at('keys.json')],
  )
  assert.equal(made.seq, 1)
  const { file } = await run('policy', 'sign', at('keys.json'), '--key', at('ada.pem'), '--yes')
  const signed = await run('policy', 'sign', file, '--key', id('key', 'sealing'), '--yes')
  assert.deepEqual(signed.persons, ['ada', 'cai'])
  await run('policy', 'publish', file)
  const { verifierKeys } = await inForce()
  assert.equal(verifierKeys?.document?.content?.grantCa.keyId, id('key', 'grant-ca'))
  const printed = await run('policy', 'key', id('key', 'grant-ca'))
  assert.deepEqual(P384Jwk.parse(printed.jwk), verifierKeys?.document?.content?.grantCa.jwk)
})

test('one signer revokes; a list of two takes it back, and keeps what else was revoked', async (t) => {
  const { at, run, refused, write, inForce } = await setUp(t)
  let { file } = await run('policy', 'sign', await write('p.json', draft()), '--key', at('ada.pem'), '--yes')
  await run('policy', 'sign', file, '--key', at('ben'), '--yes')
  await run('policy', 'publish', file)
  const byAda = ['--key', at('ada.pem'), '--yes']
  await refused('policy.unsuitable', 1, 'revoke', '--permission', 'three', ...byAda)
  await refused('usage.invalid', 2, 'revoke', ...byAda)
  await refused('usage.invalid', 2, 'revoke', '--boot', 'B', ...byAda)
  await refused('usage.invalid', 2, 'revoke', '--permission', 'one', '--key', at('ada.pem'))
  const revoked = await run('revoke', '--permission', 'one', '--permission', 'two', ...byAda)
  assert.match(revoked.name, /^revocation\/000000001-/)
  assert.deepEqual((await inForce()).revocation.permissions, ['one', 'two'])
  await run(
    'revoke',
    '--boot',
    'a'.repeat(26),
    '--seal-id',
    '0'.repeat(32),
    '--reference',
    'worker-1',
    ...byAda,
  )

  await refused('policy.unsuitable', 1, 'restore', '--boot', 'b'.repeat(26), '--out', at('r.json'))
  const restored = await run('restore', '--permission', 'one', '--out', at('r.json'))
  assert.deepEqual([restored.seq, restored.replaces.length], [3, 1])
  ;({ file } = await run('policy', 'sign', at('r.json'), ...byAda))
  await refused('policy.unsigned', 1, 'policy', 'publish', file)
  assert.deepEqual((await inForce()).revocation.permissions, ['one', 'two'])
  await run('policy', 'sign', file, '--key', at('ben'), '--yes')
  await run('policy', 'publish', file)
  const { permissions, boots, objects, referenceValues } = (await inForce()).revocation
  assert.deepEqual(
    [permissions, boots, objects, referenceValues],
    [['two'], ['a'.repeat(26)], ['0'.repeat(32)], ['worker-1']],
  )
})

test('keys of ssh that are encrypted or of another kind are refused, and no key is printed', {
  skip,
}, async (t) => {
  const { at, write, refused } = await setUp(t)
  const file = await write('p.json', draft())
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret', '-f', at('locked')])
  execFileSync('ssh-keygen', ['-q', '-t', 'ecdsa', '-N', '', '-f', at('ecdsa')])
  for (const name of ['locked', 'ecdsa'])
    await refused('signer.unusable', 2, 'policy', 'sign', file, '--key', at(name), '--yes')
  const text = await readFile(at('ben'), 'latin1')
  const damaged = Buffer.from(text.split('\n').slice(1, -2).join(''), 'base64')
  for (const cut of [20, 100, damaged.byteLength - 60]) {
    const body = damaged.subarray(0, cut).toString('base64')
    await writeFile(
      at('cut'),
      `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`,
    )
    await assert.rejects(readPrivateKey(at('cut')), (error: Error) => {
      assert.match(error.message, /is cut off$/)
      return true
    })
  }
})
