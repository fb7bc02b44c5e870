/** Two signers put documents in force with the commands alone, revoke with one signature, and restore with two. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { readPrivateKey } from '#adapters/system/privateKey.ts'
import { P384Jwk, thumbprint } from '#core/jwk.ts'
import { id } from '../../lab/emulator/testEmulator.ts'
import { cli } from '../process.ts'
import { DAY, draft, hasSsh, now, setUp } from './govern.ts'

const skip = hasSsh ? false : 'ssh-keygen is absent'

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
  const { at, run, refused, write, sign, config } = await setUp(t)
  const [ada] = config.trust.providerRoot.keys
  assert.ok(ada)
  const both = [at('ada.pem'), at('ben')]
  const first = await sign(await write('p1.json', draft({ excludedSigners: [thumbprint(ada.jwk)] })), ...both)
  const early = await sign(await write('p2.json', draft({ seq: 2 })), ...both)
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
