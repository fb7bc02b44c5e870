import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sha256, toBase64url, utf8 } from '#core/bytes.ts'
import { P384Jwk, RsaJwk } from '#core/jwk.ts'
import { keySigner, type Signer, signGeneral } from '#core/jws.ts'
import { isInForce, readPolicy } from '#core/policy/loadedPolicy.ts'
import { type Policy, PolicyFormat } from '#core/policy/policy.ts'
import { checkPolicy } from '#core/policy/policyCheck.ts'
import { type Revocation, RevocationFormat, readRevocation } from '#core/policy/revocation.ts'
import { readVerifierKeys, type VerifierKeys, VerifierKeysFormat } from '#core/policy/verifierKeys.ts'
import { addSeconds, toUnixSeconds } from '#core/time.ts'
import {
  AUDIENCE,
  DAY,
  datasetOf,
  ed25519,
  NOW,
  p384,
  permissionOf,
  policyOf,
  root,
  signers,
} from '../release/world.ts'

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

const offCurve = { ...P384Jwk.parse(signers[2].jwk), y: P384Jwk.parse(signers[2].jwk).x }
const [reference] = policyOf().referenceValues
assert.ok(reference)
const [genoa] = reference.processors
assert.ok(genoa)
const withProcessors = (chips: typeof reference.chips, ...processors: typeof reference.processors) =>
  policyOf({ referenceValues: [{ ...reference, chips, processors }] })
const milan = { ...genoa, product: 'Milan' as const, model: 1 }

for (const { name, policy, loading, says } of [
  { name: 'another audience', policy: policyOf({ audience: 'https://elsewhere.example' }), says: /audience/ },
  { name: 'another tenant', policy: policyOf({ tenant: 'clinic' }), says: /tenant/ },
  {
    name: 'a simulation in a real Verifier',
    policy: policyOf(),
    loading: { simulation: false },
    says: /simulation is/,
  },
  {
    name: 'a real policy in a simulated Verifier',
    policy: policyOf({ simulation: false, roots: [] }),
    says: /simulation is/,
  },
  {
    name: 'a simulated root outside simulation',
    policy: policyOf({ simulation: false }),
    loading: { simulation: false },
    says: /simulated root/,
  },
  {
    name: 'real data in a simulation',
    policy: policyOf({ datasets: [datasetOf({ synthetic: false })] }),
    says: /cohort is not synthetic/,
  },
  {
    name: 'a simulation beside a real Vault',
    policy: policyOf(),
    loading: { vaultOnLoopback: false },
    says: /loopback/,
  },
  {
    name: 'a dataset twice',
    policy: policyOf({ datasets: [datasetOf(), datasetOf({ permissions: [] })] }),
    says: /dataset cohort/,
  },
  {
    name: 'a permission id twice, in two datasets',
    policy: policyOf({ datasets: [datasetOf(), datasetOf({ id: 'second' })] }),
    says: /permission heart-2027 appears twice/,
  },
  {
    name: 'a client twice',
    policy: policyOf({
      clients: [...policyOf().clients, { id: 'acme', keys: [P384Jwk.parse(signers[2].jwk)] }],
    }),
    says: /client acme/,
  },
  {
    name: 'one key for two clients',
    policy: policyOf({ clients: policyOf().clients.flatMap((one) => [one, { ...one, id: 'other' }]) }),
    says: /client key/,
  },
  {
    name: 'a reference twice',
    policy: policyOf({ referenceValues: policyOf().referenceValues.flatMap((one) => [one, one]) }),
    says: /reference worker-1/,
  },
  {
    name: 'two floors for one stepping',
    policy: withProcessors('any', genoa, { ...genoa, floor: { ...genoa.floor, snp: 27 } }),
    says: /reference worker-1: processor Genoa\/25\/17\/1 appears twice/,
  },
  {
    name: 'Milan without a list of chips',
    policy: withProcessors('any', genoa, milan),
    says: /reference worker-1 approves Milan, which requires a list of chips/,
  },
  {
    name: 'a root twice',
    policy: policyOf({ roots: policyOf().roots.flatMap((one) => [one, one]) }),
    says: /root 11/,
  },
  {
    name: 'a permission for an unknown client',
    policy: policyOf({ datasets: [datasetOf({ permissions: [permissionOf({ client: 'nobody' })] })] }),
    says: /client nobody is not in clients/,
  },
  {
    name: 'an invalid scope',
    policy: policyOf({ datasets: [datasetOf({ permissions: [permissionOf({ scopes: ['everything'] })] })] }),
    says: /heart-2027 contains an invalid scope/,
  },
  {
    name: 'a window that ends before it begins',
    policy: policyOf({ datasets: [datasetOf({ permissions: [permissionOf({ notAfter: NOW - DAY })] })] }),
    says: /heart-2027 ends before/,
  },
  {
    name: 'a reference that ends before it begins',
    policy: policyOf({
      referenceValues: [{ ...reference, notAfter: reference.notBefore }],
    }),
    says: /reference worker-1 ends before/,
  },
  {
    name: 'a policy that ends before it begins',
    policy: policyOf({ expiresAt: NOW - DAY }),
    says: /the policy ends/,
  },
  {
    name: 'a sealing key off its curve',
    policy: policyOf({ datasets: [datasetOf({ sealingKeys: [offCurve] })] }),
    says: /dataset cohort contains an invalid key/,
  },
  {
    name: 'a client key off its curve',
    policy: policyOf({ clients: [{ id: 'acme', keys: [offCurve] }] }),
    says: /client acme contains an invalid key/,
  },
  {
    name: 'an audit key off its curve',
    policy: policyOf({ auditKey: { ...policyOf().auditKey, y: policyOf().auditKey.x } }),
    says: /auditKey contains an invalid key/,
  },
])
  test(`does not load: ${name}`, () => {
    assert.throws(
      () => checkPolicy(policy, { ...verifier, ...loading }),
      (error: Error) => {
        assert.equal('code' in error && error.code, 'policy.invalid')
        assert.match(error.message, says)
        return true
      },
    )
  })

test('a policy without problems loads', () => {
  checkPolicy(policyOf(), verifier)
  checkPolicy(withProcessors(['11'.repeat(64)], genoa, milan, { ...genoa, stepping: 2 }), verifier)
  assert.equal(RsaJwk.safeParse(permissionOf().recipient.jwk).success, true)
})

function revocationOf(changes: Partial<Revocation>): Revocation {
  return {
    v: 1,
    seq: 3,
    issuedAt: NOW,
    referenceValues: [],
    objects: [],
    boots: [],
    permissions: [],
    ...changes,
  }
}

async function revoke(
  list: Revocation,
  by: readonly Signer[],
  current?: Revocation,
  name = 'revocation/000000003',
) {
  return readRevocation(
    utf8(JSON.stringify(await signGeneral(RevocationFormat, list, by))),
    name,
    root,
    current,
  )
}

const one = signers.slice(0, 1)
const lists = {
  referenceValues: ['worker-1'],
  objects: ['5e'.repeat(16)],
  boots: ['a'.repeat(26)],
  permissions: ['heart-2027'],
}

test('one signer revokes, with or without an earlier list', async () => {
  assert.deepEqual(await revoke(revocationOf(lists), one), revocationOf(lists))
  assert.deepEqual(
    await revoke(revocationOf(lists), one, revocationOf({ seq: 2, referenceValues: ['worker-1'] })),
    revocationOf(lists),
  )
})

for (const list of ['referenceValues', 'objects', 'boots', 'permissions'] as const)
  test(`${list}: two signers restore a revoked name, one cannot`, async () => {
    const current = revocationOf({ ...lists, seq: 2 })
    const restoring = revocationOf({ ...lists, [list]: [] })
    await assert.rejects(revoke(restoring, one, current), invalid)
    assert.deepEqual(await revoke(restoring, signers.slice(0, 2), current), restoring)
  })

test('refused: a revocation list signed by a stranger, or under another number', async () => {
  await assert.rejects(revoke(revocationOf({}), [keySigner(ed25519())]), invalid)
  await assert.rejects(revoke(revocationOf({}), one, undefined, 'revocation/000000004'), invalid)
})

const ca = keySigner(p384())
const keys: VerifierKeys = {
  v: 1,
  seq: 2,
  exp: NOW + DAY,
  grantCa: { jwk: P384Jwk.parse(ca.jwk), keyId: 'ocid1.key.oc1..ca' },
}

for (const { name, by, own, at, valid } of [
  { name: 'signed by two persons, for our grant CA', valid: true },
  { name: 'signed by one person', by: one, valid: false },
  { name: 'for another key id', own: { keyId: 'ocid1.key.oc1..other', jwk: ca.jwk }, valid: false },
  { name: 'for another key', own: { keyId: keys.grantCa.keyId, jwk: keySigner(p384()).jwk }, valid: false },
  {
    name: 'for a key of another kind',
    own: { keyId: keys.grantCa.keyId, jwk: signers[0].jwk },
    valid: false,
  },
  { name: 'under another number', at: 'verifier-keys/000000003', valid: false },
])
  test(`${valid ? 'accepted' : 'refused'}: verifier keys ${name}`, async () => {
    const signed = await signGeneral(VerifierKeysFormat, keys, by ?? signers.slice(0, 2))
    const read = () =>
      readVerifierKeys(
        utf8(JSON.stringify(signed)),
        at ?? 'verifier-keys/000000002',
        root,
        own ?? { keyId: keys.grantCa.keyId, jwk: ca.jwk },
      )
    if (valid) assert.deepEqual(read(), { verifierKeys: keys, signed })
    else assert.throws(read, invalid)
  })
