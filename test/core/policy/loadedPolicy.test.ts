import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sha256, toBase64url, utf8 } from '#core/bytes.ts'
import { keySigner, type Signer, signGeneral } from '#core/jws.ts'
import { isInForce, readPolicy } from '#core/policy/loadedPolicy.ts'
import { type Policy, PolicyFormat } from '#core/policy/policy.ts'
import { addSeconds, toUnixSeconds } from '#core/time.ts'
import { AUDIENCE, ed25519, NOW, policyOf, root, signers } from '../release/releaseWorld.ts'

const verifier = { audience: AUDIENCE, tenant: 'hospital', simulation: true, vaultOnLoopback: true }
const invalid = { name: 'CodedError', code: 'policy.invalid' }

async function signedPolicy(policy: Policy, by: readonly Signer[] = signers.slice(0, 2)): Promise<Buffer> {
  return utf8(JSON.stringify(await signGeneral(PolicyFormat, policy, by)))
}

test('a policy signed by two persons, under its own name, loads with the digest of its payload', async () => {
  const loaded = readPolicy(await signedPolicy(policyOf()), 'policy/000000007', root, verifier)
  assert.deepEqual(loaded, {
    policy: policyOf(),
    digest: toBase64url(sha256(PolicyFormat.encode(policyOf()))),
  })
})

for (const { name, by, at, root: pinned } of [
  { name: 'one person', by: signers.slice(0, 1) },
  { name: 'one person twice', by: [signers[0], signers[0]] },
  { name: 'strangers', by: [keySigner(ed25519()), keySigner(ed25519())] },
  {
    name: 'two keys of one person',
    root: { ...root, keys: root.keys.map((key) => ({ ...key, person: 'one' })) },
  },
  { name: 'two persons, under another number', at: 'policy/000000008' },
  { name: 'two persons, under a name with a short number', at: 'policy/7' },
])
  test(`refused: a policy signed by ${name}`, async () => {
    const bytes = await signedPolicy(policyOf(), by)
    assert.throws(() => readPolicy(bytes, at ?? 'policy/000000007', pinned ?? root, verifier), invalid)
  })

test('a policy is in force from its issue until before its end', () => {
  const policy = policyOf()
  assert.deepEqual(
    [policy.issuedAt - 1, policy.issuedAt, policy.expiresAt - 1, policy.expiresAt].map((at) =>
      isInForce(policy, toUnixSeconds(at)),
    ),
    [false, true, true, false],
  )
  assert.equal(isInForce(policy, addSeconds(NOW, 0)), true)
})
