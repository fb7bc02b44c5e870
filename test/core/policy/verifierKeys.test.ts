/** Which grant CAs a quorum has certified, now and before. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '#core/bytes.ts'
import { P384Jwk } from '#core/jwk.ts'
import { keySigner, type Signer } from '#core/jws.ts'
import { type GovernanceDocument, readDocument, signDocument } from '#core/policy/document.ts'
import {
  certifies,
  earlierKeys,
  grantCasOf,
  VERIFIER_KEYS,
  type VerifierKeys,
} from '#core/policy/verifierKeys.ts'
import { freshnessKey, NOW, p384, root, signers, verifierKeysOf } from '../release/releaseWorld.ts'

const caOf = () => ({ jwk: P384Jwk.parse(keySigner(p384()).jwk), keyId: 'ocid1.key.oc1..ca' })
const [first, second] = [caOf(), caOf()]

async function documentOf(
  changes: Partial<VerifierKeys>,
  by: readonly Signer[] = signers.slice(0, 2),
): Promise<GovernanceDocument<VerifierKeys>> {
  const { name, signed } = await signDocument(VERIFIER_KEYS, verifierKeysOf(first, changes), by)
  return readDocument(VERIFIER_KEYS, name, utf8(JSON.stringify(signed)), root)
}

test('a CA counts if a quorum certified it, in a document that this version reads', async () => {
  const [good, later, alone] = [
    await documentOf({ seq: 1, exp: NOW + 1 }),
    { ...(await documentOf({ seq: 2 })), content: undefined },
    await documentOf({ seq: 3 }, signers.slice(0, 1)),
  ]
  const other = await documentOf({ seq: 4, grantCa: second, exp: NOW + 2 }, signers)
  assert.deepEqual(grantCasOf([good, later, alone, other], root), [
    { jwk: first.jwk, exp: NOW + 1 },
    { jwk: second.jwk, exp: NOW + 2 },
  ])
})

test('keys certify one key under one id', () => {
  const keys = verifierKeysOf(first)
  const { jwk, keyId } = first
  assert.equal(certifies(keys, { jwk, keyId }), true)
  for (const other of [
    { jwk, keyId: 'ocid1.key.oc1..other' },
    { jwk: second.jwk, keyId },
    { jwk: { ...jwk, x: second.jwk.x }, keyId },
    { jwk: { ...jwk, y: second.jwk.y }, keyId },
    { jwk: freshnessKey.jwk, keyId },
  ])
    assert.equal(certifies(keys, other), false)
})

test('of earlier keys, one document per other CA: the one that certified it longest, the newest first', async () => {
  const current = verifierKeysOf(second, { seq: 10 })
  const third = caOf()
  const seqs = (documents: readonly GovernanceDocument<VerifierKeys>[]) =>
    earlierKeys(documents, current, root).map(({ payload }) => {
      const found = documents.find(({ signed }) => signed.payload === payload)
      return found?.seq
    })
  const [short, long, same, ofThird] = [
    await documentOf({ seq: 1, exp: NOW + 1 }),
    await documentOf({ seq: 2, exp: NOW + 5 }),
    await documentOf({ seq: 3, exp: NOW + 5 }),
    await documentOf({ seq: 4, grantCa: third }),
  ]
  assert.deepEqual(seqs([short, long, same, ofThird]), [4, 2])
  assert.deepEqual(seqs([long, ofThird, short]), [4, 2])
  for (const none of [
    await documentOf({ seq: 5, grantCa: second }),
    await documentOf({ seq: 10 }),
    await documentOf({ seq: 11 }),
    await documentOf({ seq: 5, tenant: 'clinic' }),
    await documentOf({ seq: 5, audience: 'https://verifier.clinic.example' }),
    await documentOf({ seq: 5 }, signers.slice(0, 1)),
    { ...(await documentOf({ seq: 5 })), content: undefined },
  ])
    assert.deepEqual(seqs([none]), [])
  // With every signature that it was stored with.
  assert.deepEqual(earlierKeys([ofThird], current, root), [ofThird.signed])
})

test('at most sixteen earlier documents are shown, the newest', async () => {
  const many = await Promise.all(
    Array.from({ length: 17 }, (_, at) => documentOf({ seq: at + 1, grantCa: caOf() })),
  )
  const shown = earlierKeys(many, verifierKeysOf(first, { seq: 100 }), root)
  assert.deepEqual(
    shown,
    many
      .slice(1)
      .toReversed()
      .map(({ signed }) => signed),
  )
})
