import assert from 'node:assert/strict'
import { test } from 'node:test'
import { P384Jwk, RsaJwk } from '#core/jwk.ts'
import { checkPolicy } from '#core/policy/policyCheck.ts'
import { DAY, datasetOf, NOW, permissionOf, policyOf, signers } from '../release/releaseWorld.ts'

const verifier = { simulation: true, vaultOnLoopback: true }
const offCurve = { ...P384Jwk.parse(signers[2].jwk), y: P384Jwk.parse(signers[2].jwk).x }
const [reference] = policyOf().referenceValues
assert.ok(reference)
const [genoa] = reference.processors
assert.ok(genoa)
const withProcessors = (chips: typeof reference.chips, ...processors: typeof reference.processors) =>
  policyOf({ referenceValues: [{ ...reference, chips, processors }] })
/** Beside the real dataset there is a synthetic one, which excuses nothing. */
const realPolicy = (changes: object) =>
  policyOf({
    simulation: false,
    roots: [],
    referenceValues: [{ ...reference, ...changes }],
    datasets: [datasetOf({ id: 'trial', permissions: [] }), datasetOf({ synthetic: false })],
  })
const milan = { ...genoa, product: 'Milan' as const, model: 1 }

for (const { name, policy, loading, says } of [
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
    says: /heart-2027: scope does not begin with system/,
  },
  {
    name: 'more than 256 expanded scopes',
    policy: policyOf({
      datasets: [
        datasetOf({ permissions: [permissionOf({ scopes: ['system/*.rs?_tag=a', 'system/*.rs?_tag=b'] })] }),
      ],
    }),
    says: /heart-2027: scope and the others are more than 256/,
  },
  {
    name: 'a code table that no worker has',
    policy: policyOf({
      datasets: [datasetOf({ permissions: [permissionOf({ codeTable: 'A'.repeat(43) })] })],
    }),
    says: /heart-2027: codeTable is not the built-in one/,
  },
  {
    name: 'a population that is not listed',
    policy: policyOf({ datasets: [datasetOf({ population: 'nobody' })] }),
    says: /dataset cohort: population nobody is not in populations/,
  },
  {
    name: 'a population twice',
    policy: policyOf({ populations: policyOf().populations.flatMap((one) => [one, one]) }),
    says: /population cohort appears twice/,
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
  ...[
    [
      { guestPolicy: { ...reference.guestPolicy, debug: 'required' as const } },
      /guestPolicy.debug is required, dataset cohort is real and requires forbidden/,
    ],
    [{ guestPolicy: { ...reference.guestPolicy, debug: 'any' as const } }, /guestPolicy.debug is any/],
    [
      { guestPolicy: { ...reference.guestPolicy, migrateMa: 'any' as const } },
      /guestPolicy.migrateMa is any/,
    ],
    [{ vmpl: 3 }, /vmpl is 3, .* requires 0/],
    [
      { processors: [genoa, { ...genoa, stepping: 2, floor: { ...genoa.floor, snp: 0 } }] },
      /processors\[1\].floor.snp is 0 for Genoa, .* requires at least 1/,
    ],
    [
      { processors: [{ ...genoa, floor: { ...genoa.floor, microcode: 0 } }] },
      /processors\[0\].floor.microcode/,
    ],
  ].map(([changes, says]) => ({
    name: `real data, and ${says}`,
    policy: realPolicy(changes as object),
    loading: { simulation: false },
    says: says as RegExp,
  })),
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
  checkPolicy(realPolicy({}), { ...verifier, simulation: false })
  const least = { ...genoa, floor: { ...genoa.floor, snp: 1, microcode: 1 } }
  checkPolicy(realPolicy({ processors: [least] }), { ...verifier, simulation: false })
  // For synthetic data a development machine may do.
  const debug = { guestPolicy: { ...reference.guestPolicy, debug: 'required' as const }, vmpl: 3 }
  checkPolicy(policyOf({ referenceValues: [{ ...reference, ...debug }] }), verifier)
  checkPolicy(withProcessors(['11'.repeat(64)], genoa, milan, { ...genoa, stepping: 2 }), verifier)
  assert.equal(RsaJwk.safeParse(permissionOf().recipient.jwk).success, true)
})
