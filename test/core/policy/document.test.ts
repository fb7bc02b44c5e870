import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { sha256, toHex, utf8 } from '#core/bytes.ts'
import { canonicalBytes, defineFormat } from '#core/canonical.ts'
import { defineSigned, type GeneralJws, keySigner, signGeneral } from '#core/jws.ts'
import { maxStoredBytes, readDocument, signDocument } from '#core/policy/document.ts'
import { documentName, parseDocumentName } from '#core/policy/objectName.ts'
import { POLICY, PolicyFormat } from '#core/policy/policy.ts'
import { REVOCATION } from '#core/policy/revocation.ts'
import { VERIFIER_KEYS } from '#core/policy/verifierKeys.ts'
import { ed25519, policyOf, revocationOf, root, signers } from '../release/releaseWorld.ts'

const invalid = { name: 'CodedError', code: 'policy.invalid' }
const two = signers.slice(0, 2)
const stored = (signed: GeneralJws) => utf8(JSON.stringify(signed))

test('a document is named by its number and the first half of the digest of its payload', async () => {
  const { name, signed } = await signDocument(POLICY, policyOf(), two)
  const half = toHex(sha256(PolicyFormat.encode(policyOf()))).slice(0, 32)
  assert.equal(name, `policy/000000007-${half}`)
  assert.deepEqual(parseDocumentName(name), { kind: 'policy', seq: 7, digest: half })
  const document = readDocument(POLICY, name, stored(signed), root)
  assert.deepEqual(document.content, policyOf())
  assert.deepEqual(
    document.signers.map(({ person }) => person),
    ['person-0', 'person-1'],
  )
})

test('the lists of a dataset have a folder of their own', () => {
  const digest = 'ab'.repeat(16)
  assert.deepEqual(parseDocumentName(`consent/cohort-1/000000007-${digest}`), {
    kind: 'consent/cohort-1',
    seq: 7,
    digest,
  })
})

test('names that no document has', () => {
  const digest = 'ab'.repeat(16)
  for (const name of [
    'policy/000000007',
    `policy/7-${digest}`,
    `policy/000000000-${digest}`,
    `policy/0000000007-${digest}`,
    `policy/000000007-${digest}0`,
    `policy/000000007-${digest.toUpperCase()}`,
    `policy/000000007-${digest}/x`,
    `x/policy/000000007-${digest}`,
    `consent/Cohort/000000007-${digest}`,
    `consent/cohort/x/000000007-${digest}`,
  ])
    assert.equal(parseDocumentName(name), undefined, name)
})

for (const { what, by, at } of [
  { what: 'a stranger', by: [keySigner(ed25519())] },
  { what: 'a signer, under another number', at: documentName('policy', 8, PolicyFormat.encode(policyOf())) },
  { what: 'a signer, under the digest of another', at: documentName('policy', 7, Buffer.from('x')) },
  { what: 'a signer, in another folder', at: documentName('revocation', 7, PolicyFormat.encode(policyOf())) },
])
  test(`junk: a document by ${what}`, async () => {
    const { name, signed } = await signDocument(POLICY, policyOf(), by ?? two)
    assert.throws(() => readDocument(POLICY, at ?? name, stored(signed), root), invalid)
  })

test('junk: a document with a signature of a signer that does not verify, beside two that do', async () => {
  const { name, signed } = await signDocument(POLICY, policyOf(), signers)
  const other = await signGeneral(PolicyFormat, policyOf({ seq: 8 }), signers)
  const signatures = [...signed.signatures.slice(0, 2), ...other.signatures.slice(2)]
  assert.throws(() => readDocument(POLICY, name, stored({ ...signed, signatures }), root), invalid)
})

test('a policy of a later version is read by its envelope; a revocation list of one is junk', async () => {
  const { seq, tenant, audience, issuedAt } = policyOf()
  const later = { v: 2, seq, tenant, audience, issuedAt, anything: ['new'] }
  const formatOf = (typ: string) =>
    defineSigned(
      typ,
      defineFormat({ name: 'later', maxBytes: 1000, code: 'policy.invalid', schema: z.looseObject({}) }),
    )
  const name = (folder: string) => documentName(folder, seq, canonicalBytes(later))
  const policy = await signGeneral(formatOf('cw-policy'), later, two)
  const document = readDocument(POLICY, name('policy'), stored(policy), root)
  assert.equal(document.content, undefined)
  assert.equal(document.seq, seq)
  const list = await signGeneral(formatOf('cw-revocation'), later, two)
  assert.throws(() => readDocument(REVOCATION, name('revocation'), stored(list), root), invalid)
})

test('a document of one kind is junk as another', async () => {
  const { signed } = await signDocument(REVOCATION, revocationOf({ seq: 7 }), two)
  const payload = REVOCATION.format.encode(revocationOf({ seq: 7 }))
  assert.throws(() => readDocument(POLICY, documentName('policy', 7, payload), stored(signed), root), invalid)
})

test('a document is stored in at most twice its greatest length and 16 KiB for signatures', async () => {
  const limits = [maxStoredBytes(POLICY), maxStoredBytes(VERIFIER_KEYS), maxStoredBytes(REVOCATION)]
  assert.deepEqual(limits, [2_113_536, 20_480, 8_404_992])
  const { name, signed } = await signDocument(POLICY, policyOf(), two)
  const bytes = stored(signed)
  const filled = (length: number) => Buffer.concat([bytes, Buffer.alloc(length - bytes.byteLength, ' ')])
  assert.equal(readDocument(POLICY, name, filled(2_113_536), root).seq, 7)
  assert.throws(() => readDocument(POLICY, name, filled(2_113_537), root), invalid)
})

test('a fault of ours while a payload is read is not taken for a later version', async () => {
  const { name, signed } = await signDocument(POLICY, policyOf(), two)
  const fault = new TypeError('a mistake in a schema')
  const decode = () => {
    throw fault
  }
  const broken = { ...POLICY, format: { ...PolicyFormat, decode } }
  assert.throws(() => readDocument(broken, name, stored(signed), root), fault)
})
