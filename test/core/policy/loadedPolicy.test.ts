import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sha256, toBase64url, utf8 } from '#core/bytes.ts'
import { readDocument, signDocument } from '#core/policy/document.ts'
import { isInForce, loadPolicy } from '#core/policy/loadedPolicy.ts'
import { POLICY, type Policy, PolicyFormat } from '#core/policy/policy.ts'
import { addSeconds, toUnixSeconds } from '#core/time.ts'
import { DAY, NOW, policyOf, root, signers } from '../release/releaseWorld.ts'

const verifier = { simulation: true, vaultOnLoopback: true }

async function load(policy: Policy) {
  const { name, signed } = await signDocument(POLICY, policy, signers.slice(0, 2))
  return loadPolicy(readDocument(POLICY, name, utf8(JSON.stringify(signed)), root), verifier)
}

test('a policy loads with the digest of its payload', async () => {
  assert.deepEqual(await load(policyOf()), {
    policy: policyOf(),
    digest: toBase64url(sha256(PolicyFormat.encode(policyOf()))),
  })
})

test('a policy lives at most 90 days', async () => {
  const issuedAt = NOW - DAY
  await load(policyOf({ issuedAt, expiresAt: issuedAt + 90 * DAY }))
  await assert.rejects(load(policyOf({ issuedAt, expiresAt: issuedAt + 90 * DAY + 1 })), {
    code: 'policy.invalid',
    message: /the policy lives 91 days, at most 90 are allowed/,
  })
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
