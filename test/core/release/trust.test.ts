import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { exportJwk, SigningJwk } from '#core/jwk.ts'
import { TrustAnchors, trustDigest } from '#core/release/trust.ts'
import { assertClosed, assertLimits } from '../../configuration.ts'

const ed25519 = generateKeyPairSync('ed25519').publicKey
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey
const ada = { person: 'ada', jwk: SigningJwk.parse(exportJwk(ed25519)) }
const ben = { person: 'ben', jwk: SigningJwk.parse(exportJwk(p384)) }
const WORKLOAD = `fhir-summary@${'a'.repeat(64)}`
const OTHER = `fhir-counts@${'b'.repeat(64)}`
const anchors = TrustAnchors.parse({
  providerRoot: { keys: [ada, ben], threshold: 2 },
  audience: 'https://verifier.hospital.example',
  client: 'research',
  purpose: 'HRESCH',
  simulation: false,
  workloads: [WORKLOAD, OTHER],
  sandbox: 'none',
  logLevel: 'info',
})
const keys = (count: number) => Array(count).fill(ada)

test('trust anchors are whole, and hold nothing else', () => assertClosed(TrustAnchors, anchors))

test('each limit of the trust anchors is exact', () => {
  assertLimits(TrustAnchors, anchors, [
    { field: 'providerRoot.keys', good: [keys(2), keys(16)], bad: [keys(0), keys(1), keys(17)] },
    { field: 'providerRoot.keys.0.person', good: ['a', 'a'.repeat(64)], bad: ['', 'a'.repeat(65)] },
    { field: 'providerRoot.threshold', good: [2, 16], bad: [0, 1, 17, 2.5] },
    {
      field: 'workloads',
      good: [[], Array(64).fill(WORKLOAD), [`a@${'0'.repeat(64)}`], [`${'a'.repeat(64)}@${'f'.repeat(64)}`]],
      bad: [Array(65).fill(WORKLOAD)],
    },
    {
      field: 'workloads.0',
      good: [],
      bad: [
        `@${'a'.repeat(64)}`,
        `${'a'.repeat(65)}@${'a'.repeat(64)}`,
        `a@${'a'.repeat(63)}`,
        `a@${'a'.repeat(65)}`,
        `A@${'a'.repeat(64)}`,
        `a@${'A'.repeat(64)}`,
      ],
    },
    { field: 'sandbox', good: ['none', 'bwrap', 'systemd'], bad: ['', 'docker'] },
    { field: 'logLevel', good: ['info', 'warn', 'error'], bad: ['debug', ''] },
  ])
})

test('the example of policy signers has their shape, but no keys', () => {
  const { keys: field } = TrustAnchors.shape.providerRoot.shape
  const { example } = field.meta() ?? {}
  assert.equal(field.safeParse(example).success, false)
  const filled = JSON.stringify(example)
    .replaceAll(/(?<="x":"|"y":")…/g, 'A'.repeat(64))
    .replace(/(?<="crv":"Ed25519","x":")A+/, 'A'.repeat(43))
  assert.equal(field.safeParse(JSON.parse(filled)).success, true)
})

test('the trust digest covers every anchor, and not the order of workloads', () => {
  const digest = trustDigest(anchors).toString('hex')
  assert.equal(trustDigest({ ...anchors, workloads: [OTHER, WORKLOAD] }).toString('hex'), digest)
  for (const change of [
    { providerRoot: { keys: [ben, ada], threshold: 2 } },
    { providerRoot: { keys: [ada, ben], threshold: 3 } },
    { audience: 'https://elsewhere.example' },
    { client: 'other' },
    { purpose: 'TREAT' },
    { simulation: true },
    { workloads: [WORKLOAD] },
    { sandbox: 'bwrap' },
    { logLevel: 'warn' },
  ] satisfies Partial<TrustAnchors>[])
    assert.notEqual(trustDigest({ ...anchors, ...change }).toString('hex'), digest)
})
