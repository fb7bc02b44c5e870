/** The limits of the governance documents are exact, and none has a field more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sha256, toBase64url, utf8 } from '#core/bytes.ts'
import { P384Jwk } from '#core/jwk.ts'
import { keySigner } from '#core/jws.ts'
import { ConsentSchema, consentKind } from '#core/policy/consent.ts'
import { FreshnessFormat } from '#core/policy/freshness.ts'
import { POLICY, PolicyFormat } from '#core/policy/policy.ts'
import { REVOCATION, RevocationFormat } from '#core/policy/revocation.ts'
import { VERIFIER_KEYS, VerifierKeysFormat } from '#core/policy/verifierKeys.ts'
import { MAX_LIST_BYTES, MIN_LIST_BYTES } from '#core/sealed/consentList.ts'
import { expectClosed, expectLimits, listOf, numberOf } from '../documentLaws.ts'
import {
  consentListOf,
  DAY,
  DEPLOYMENT,
  datasetOf,
  NOW,
  p384,
  permissionOf,
  policyOf,
  revocationOf,
  verifierKeysOf,
} from '../release/releaseWorld.ts'

const DIGEST = toBase64url(Buffer.alloc(32))
const digestOf = (at: number) => toBase64url(sha256(utf8(`${at}`)))
const idOf = (at: number) => at.toString(16).padStart(32, '0')
const nameOf = (at: number) => `name-${at}`
const numbered = { seq: 1, digest: DIGEST }

const permission = permissionOf({ sensitive: ['ETH'] })
const dataset = datasetOf({
  permissions: [permission],
  consent: { keys: [keySigner(p384()).jwk], keyIds: ['ocid1.key.oc1..consent'] },
})
const platform = datasetOf({ id: 'other', assurance: { level: 'platform', administeredBy: 'neutral' } })
const policy = policyOf({ datasets: [dataset, platform] })
const [root] = policy.roots
const [reference] = policy.referenceValues
const [client] = policy.clients
const key = client?.keys[0]
const verifierKeys = verifierKeysOf({
  jwk: P384Jwk.parse(keySigner(p384()).jwk),
  keyId: 'ocid1.key.oc1..ca',
})
const revocation = revocationOf({
  replaces: [DIGEST],
  referenceValues: ['worker-0'],
  objects: [idOf(0)],
  boots: ['a'.repeat(26)],
  permissions: ['heart-2027'],
})
const freshness = {
  v: 1 as const,
  ...DEPLOYMENT,
  policy: numbered,
  verifierKeys: numbered,
  revocation: { seq: 0, digest: DIGEST },
  consent: { cohort: { seq: 0, digest: DIGEST } },
  iat: NOW,
  exp: NOW + 900,
}

test('no document takes an unknown field, at any depth', () => {
  expectClosed(PolicyFormat.schema, policy)
  expectClosed(VerifierKeysFormat.schema, verifierKeys)
  expectClosed(RevocationFormat.schema, revocation)
  expectClosed(FreshnessFormat.schema, freshness)
  expectClosed(ConsentSchema, consentListOf())
})

test('the kinds: folder, typ, greatest length, and whether the number alone ends a predecessor', () => {
  const kinds = [POLICY, VERIFIER_KEYS, REVOCATION, consentKind('cohort')].map(
    ({ folder, format, endsPredecessor }) => [folder, format.typ, format.maxBytes, endsPredecessor],
  )
  assert.deepEqual(kinds, [
    ['policy', 'cw-policy', 1_048_576, true],
    ['verifier-keys', 'cw-verifier-keys', 2048, true],
    ['revocation', 'cw-revocation', 4_194_304, false],
    ['consent/cohort', 'cw-consent', 65_536, false],
  ])
  assert.deepEqual([FreshnessFormat.typ, FreshnessFormat.maxBytes], ['cw-freshness', 40_960])
})

test('each limit of a policy is exact', () => {
  expectLimits(PolicyFormat.schema, policy, [
    listOf('excludedSigners', 0, 16, digestOf),
    listOf('roots', 1, 16, () => root),
    { field: 'roots.0.ark', least: 32, most: 32, of: (bytes) => '11'.repeat(bytes) },
    listOf('referenceValues', 1, 64, () => reference),
    listOf('clients', 1, 64, () => client),
    listOf('clients.0.keys', 1, 8, () => key),
    listOf('populations', 0, 256, (at) => ({ id: nameOf(at), budget: null })),
    listOf('datasets', 0, 256, () => dataset),
    listOf('datasets.0.sealingKeys', 1, 16, () => dataset.sealingKeys[0]),
    listOf('datasets.0.keyIds', 1, 16, (at) => `ocid1.key.oc1..${at}`),
    {
      field: 'datasets.0.idKey.wrapped',
      least: 32,
      most: 1024,
      of: (bytes) => toBase64url(Buffer.alloc(bytes)),
    },
    listOf('datasets.0.consent.keys', 1, 16, () => dataset.sealingKeys[0]),
    listOf('datasets.0.consent.keyIds', 1, 16, (at) => `ocid1.key.oc1..${at}`),
    listOf('datasets.0.permissions', 0, 256, () => permission),
    listOf('datasets.0.permissions.0.scopes', 1, 64, () => 'system/Condition.rs'),
    listOf('datasets.0.permissions.0.sensitive', 0, 64, () => 'ETH'),
    {
      field: 'datasets.0.permissions.0.sensitive.0',
      least: 2,
      most: 12,
      of: (characters) => 'A'.repeat(characters),
    },
    numberOf('datasets.0.permissions.0.quota.hours', 1, 744),
    numberOf('datasets.0.permissions.0.quota.releases', 1, 1_000_000),
    numberOf('datasets.0.permissions.0.quota.objects', 1, 64_000_000),
    numberOf('datasets.0.permissions.0.quota.bytes', 1, Number.MAX_SAFE_INTEGER),
  ])
})

test('a sensitive category is written in capitals', () => {
  for (const category of ['eth', 'ETH1', ' ETH', 'ETH\n'])
    assert.ok(
      !PolicyFormat.schema.safeParse(
        policyOf({ datasets: [datasetOf({ permissions: [permissionOf({ sensitive: [category] })] })] }),
      ).success,
      category,
    )
})

test('each limit of a revocation list is exact', () => {
  expectLimits(RevocationFormat.schema, revocation, [
    listOf('replaces', 0, 4096, digestOf),
    listOf('referenceValues', 0, 1024, nameOf),
    listOf('objects', 0, 65_536, idOf),
    listOf('boots', 0, 65_536, () => 'a'.repeat(26)),
    listOf('permissions', 0, 1024, nameOf),
  ])
})

test('each limit of a consent list is exact', () => {
  expectLimits(ConsentSchema, consentListOf({ replaces: [DIGEST] }), [
    listOf('replaces', 0, 1024, digestOf),
    numberOf('list.bytes', MIN_LIST_BYTES, MAX_LIST_BYTES),
    {
      field: 'list.custody.wrappedDek',
      least: 32,
      most: 1024,
      of: (bytes) => toBase64url(Buffer.alloc(bytes)),
    },
  ])
})

test('a freshness statement lives at most 15 minutes', () => {
  expectLimits(FreshnessFormat.schema, freshness, [numberOf('exp', NOW + 1, NOW + 900)])
  assert.ok(!FreshnessFormat.schema.safeParse({ ...freshness, iat: NOW + DAY }).success)
})
