/** The union of consent lists: who adds, who takes back, and who is behind. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8 } from '#core/bytes.ts'
import { P384Jwk } from '#core/jwk.ts'
import { keySigner, type Signer } from '#core/jws.ts'
import { type Consent, consentDigest, consentKeysOf, consentKind, consentRoot } from '#core/policy/consent.ts'
import { MAX_LISTS } from '#core/policy/consentUnion.ts'
import { type GovernanceDocument, readDocument, signDocument } from '#core/policy/document.ts'
import { behind, statementOf } from '#core/policy/freshness.ts'
import { governanceInForce } from '#core/policy/inForce.ts'
import { POLICY, type Policy } from '#core/policy/policy.ts'
import { VERIFIER_KEYS } from '#core/policy/verifierKeys.ts'
import {
  consentListOf,
  DEPLOYMENT,
  datasetOf,
  ed25519,
  NOW,
  p384,
  policyOf,
  root,
  signers,
  verifierKeysOf,
} from '../release/releaseWorld.ts'

const officer = keySigner(ed25519())
const two = signers.slice(0, 2)
const consent = { keys: [officer.jwk], keyIds: ['ocid1.key.oc1..consent'] }
const policyWith = async (changes: Partial<Policy> = {}) => {
  const { name, signed } = await signDocument(
    POLICY,
    policyOf({ datasets: [datasetOf({ consent })], ...changes }),
    two,
  )
  return readDocument(POLICY, name, utf8(JSON.stringify(signed)), root)
}
const grantCa = { jwk: P384Jwk.parse(keySigner(p384()).jwk), keyId: 'ocid1.key.oc1..ca' }
const keysDocument = await signDocument(VERIFIER_KEYS, verifierKeysOf(grantCa), two)
const verifierKeys = [
  readDocument(VERIFIER_KEYS, keysDocument.name, utf8(JSON.stringify(keysDocument.signed)), root),
]
const policies = [await policyWith()]
const signing = consentRoot(root, consent.keys)

let made = 0
async function list(changes: Partial<Consent> = {}, by: readonly Signer[] = [officer]) {
  made += 1
  const content = consentListOf({
    seq: made,
    issuedAt: NOW - 1000 + made,
    list: { ...consentListOf().list, id: made.toString(16).padStart(32, '0') },
    ...changes,
  })
  const { name, signed } = await signDocument(consentKind('cohort'), content, by)
  return readDocument(consentKind('cohort'), name, utf8(JSON.stringify(signed)), signing)
}

function inForce(consents: readonly GovernanceDocument<Consent>[], of = policies) {
  const candidates = { policies: of, verifierKeys, revocations: [], consents }
  return governanceInForce(candidates, { root, deployment: DEPLOYMENT }, NOW)
}
const seqs = (consents: readonly GovernanceDocument<Consent>[], of = policies) =>
  inForce(consents, of)
    .consent.get('cohort')
    ?.inForce.map(({ seq }) => seq)

test('a list is signed by one key of its dataset, or by a quorum; order and number change nothing', async () => {
  const [one, other, quorum] = [await list(), await list(), await list({}, two)]
  const alone = await list({}, two.slice(0, 1))
  fc.assert(
    fc.property(fc.shuffledSubarray([one, other, quorum, alone], { minLength: 4 }), (lists) => {
      assert.deepEqual(seqs(lists), [one.seq, other.seq, quorum.seq])
    }),
  )
  assert.deepEqual(
    inForce([one, alone]).ignored.map(({ name }) => name),
    [alone.name],
  )
})

test('only a quorum takes a list back, and only the lists that it names', async () => {
  const [one, other, late] = [await list(), await list(), await list()]
  assert.ok(one.content && consentDigest(one.content) === one.digest)
  const replaces = [one.digest, other.digest]
  for (const by of [[officer], [officer, signers[0]]])
    assert.equal(seqs([one, other, await list({ replaces }, by)])?.length, 3)
  const merged = await list({ replaces }, two)
  assert.deepEqual(seqs([one, other, merged, late]), [late.seq, merged.seq])
})

test('no set of documents by consent keys leaves out what one of them named', async () => {
  const lists = await Promise.all([1, 2, 3].map(() => list()))
  const replacing = await list({ replaces: lists.map(({ digest }) => digest) })
  const all = [...lists, replacing]
  fc.assert(
    fc.property(fc.shuffledSubarray(all), (shown) => {
      assert.equal(seqs(shown)?.length, shown.length)
    }),
  )
})

test('more lists than are allowed, or larger ones, are a problem; the quorum solves it', async () => {
  const many = await Promise.all(Array.from({ length: MAX_LISTS + 1 }, () => list()))
  const problem = (lists: typeof many) => inForce(lists).consent.get('cohort')?.problem
  assert.equal(problem([]), 'no list is in force')
  assert.equal(problem(many.slice(1)), '')
  assert.match(String(problem(many)), /65 lists are in force/)
  const merged = await list({ replaces: many.map(({ digest }) => digest) }, two)
  assert.equal(problem([...many, merged]), '')
  const half = { ...consentListOf().list, bytes: 4_194_900 }
  assert.match(String(problem([await list({ list: half }), await list({ list: half })])), /bytes/)
})

test('who is shown fewer lists than a statement names is behind', async () => {
  const lists = [await list(), await list(), await list()]
  const stated = statementOf(inForce(lists.slice(0, 2)), DEPLOYMENT, NOW)
  assert.equal(stated.consent['cohort']?.seq, 2)
  assert.equal(behind(inForce(lists.slice(0, 2)), stated), undefined)
  assert.equal(behind(inForce(lists), stated), undefined)
  for (const shown of [[], lists.slice(0, 1), lists.slice(1, 2), lists.toSpliced(0, 1)])
    assert.equal(behind(inForce(shown), stated), '2 consent lists of cohort')
  // A newer policy without consent keys ends them.
  const without = [...policies, await policyWith({ seq: 8, datasets: [datasetOf()] })]
  assert.equal(behind(inForce([], without), stated), undefined)
})

test('the keys of every policy of the quorum count, each once', async () => {
  const other = keySigner(ed25519())
  const both = [datasetOf({ consent: { ...consent, keys: [officer.jwk, other.jwk] } })]
  const all = [...policies, await policyWith({ seq: 8, datasets: both })]
  assert.deepEqual(consentKeysOf(all, root).get('cohort'), [officer.jwk, other.jwk])
  assert.deepEqual([...consentKeysOf(all, { ...root, threshold: 3 })], [])
})
