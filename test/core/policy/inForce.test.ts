/** What is in force among documents of every order, gap, signer and deployment. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { P384Jwk, thumbprint } from '#core/jwk.ts'
import { keySigner, type Signer } from '#core/jws.ts'
import type { GovernanceDocument } from '#core/policy/document.ts'
import { governanceInForce } from '#core/policy/inForce.ts'
import { POLICY, type Policy } from '#core/policy/policy.ts'
import { REVOCATION, type Revocation } from '#core/policy/revocation.ts'
import { VERIFIER_KEYS, type VerifierKeys } from '#core/policy/verifierKeys.ts'
import { documentOf } from '../../governanceDocuments.ts'
import {
  DEPLOYMENT,
  NOW,
  p384,
  policyOf,
  revocationOf,
  root,
  signers,
  verifierKeysOf,
} from '../release/releaseWorld.ts'

const [ada, grace, mary] = signers
const two = [ada, grace]
const grantCa = { jwk: P384Jwk.parse(keySigner(p384()).jwk), keyId: 'ocid1.key.oc1..ca' }

const policy = (changes: Partial<Policy>, by: readonly Signer[] = two) =>
  documentOf(POLICY, policyOf(changes), by)
const keys = (changes: Partial<VerifierKeys>, by: readonly Signer[] = two) =>
  documentOf(VERIFIER_KEYS, verifierKeysOf(grantCa, changes), by)
const list = (changes: Partial<Revocation>, by: readonly Signer[] = [ada]) =>
  documentOf(REVOCATION, revocationOf(changes), by)

function inForce(candidates: {
  readonly policies?: readonly GovernanceDocument<Policy>[]
  readonly verifierKeys?: readonly GovernanceDocument<VerifierKeys>[]
  readonly revocations?: readonly GovernanceDocument<Revocation>[]
}) {
  const all = { policies: [], verifierKeys: [], revocations: [], consents: [], ...candidates }
  return governanceInForce(all, { root, deployment: DEPLOYMENT }, NOW)
}
const policyAmong = (...policies: readonly GovernanceDocument<Policy>[]) => {
  const { policy: latest, ignored } = inForce({ policies })
  return {
    seq: latest?.seq,
    counts: latest?.document !== undefined,
    ignored: ignored.map(({ name }) => Number(name.slice(7, 16))).sort((a, b) => a - b),
  }
}

test('the highest policy of the quorum counts, gaps or not', async () => {
  assert.deepEqual(policyAmong(), { seq: undefined, counts: false, ignored: [] })
  const numbers = await Promise.all([3, 900, 17].map((seq) => policy({ seq })))
  assert.deepEqual(policyAmong(...numbers), { seq: 900, counts: true, ignored: [] })
})

test('one signer squats no number', async () => {
  const first = await policy({ seq: 1 })
  const squatted = await Promise.all([2, 999_999_999].map((seq) => policy({ seq }, [mary])))
  assert.deepEqual(policyAmong(first, ...squatted), { seq: 1, counts: true, ignored: [2, 999_999_999] })
  assert.deepEqual(policyAmong(first, ...squatted, await policy({ seq: 2 })).seq, 2)
})

test('a number is at most 1,000 above its predecessor', async () => {
  const [first, last, beyond] = [
    await policy({ seq: 1000 }),
    await policy({ seq: 2000 }),
    await policy({ seq: 3001 }),
  ]
  assert.deepEqual(policyAmong(first, last, beyond), { seq: 2000, counts: true, ignored: [3001] })
  assert.deepEqual(policyAmong(await policy({ seq: 1001 })), {
    seq: undefined,
    counts: false,
    ignored: [1001],
  })
})

test('of two policies of one number neither counts, and their predecessor has ended', async () => {
  const [first, second, twin] = [
    await policy({ seq: 1 }),
    await policy({ seq: 2 }),
    await policy({ seq: 2, excludedSigners: [thumbprint(mary.jwk)] }, [grace, mary]),
  ]
  assert.deepEqual(policyAmong(first, second, twin), { seq: 2, counts: false, ignored: [2, 2] })
  assert.equal(policyAmong(first, second, twin, await policy({ seq: 3 })).counts, true)
})

test('a policy that is not issued yet does not end its predecessor', async () => {
  const [now, later] = [await policy({ seq: 1 }), await policy({ seq: 2, issuedAt: NOW + 1 })]
  assert.deepEqual(policyAmong(now, later), { seq: 1, counts: true, ignored: [] })
})

test('a policy counts from the second of its issue', async () => {
  assert.equal(policyAmong(await policy({ issuedAt: NOW })).counts, true)
})

test('a policy of a later version ends its predecessor, and excludes and takes back no one', async () => {
  const excluding = await policy({ seq: 1, excludedSigners: [thumbprint(mary.jwk)] })
  const later = { ...(await policy({ seq: 2 })), content: undefined }
  assert.equal(policyAmong(excluding, later).seq, 2)
  assert.equal(policyAmong(excluding, later, await policy({ seq: 3 }, [ada, mary])).seq, 2)
})

test('of two verifier keys of one number neither counts, whoever is excluded', async () => {
  const twins = [await keys({ seq: 2 }), await keys({ seq: 2, exp: NOW + 1 })]
  const policies = [await policy({ excludedSigners: [thumbprint(mary.jwk)] })]
  const found = inForce({ policies, verifierKeys: twins }).verifierKeys
  assert.equal(found?.document, undefined)
  assert.match(found?.problem ?? '', /two documents of number 2/)
})

for (const other of [{ tenant: 'clinic' }, { audience: 'https://verifier.clinic.example' }])
  test(`a document for another ${Object.keys(other)[0]} ends nothing`, async () => {
    assert.deepEqual(policyAmong(await policy({ seq: 1 }), await policy({ seq: 2, ...other })), {
      seq: 1,
      counts: true,
      ignored: [2],
    })
    const revoked = inForce({ revocations: [await list({ ...other, boots: ['a'.repeat(26)] })] })
    assert.deepEqual(revoked.revocation.boots, [])
    assert.equal(revoked.revocation.seq, 0)
    const { verifierKeys } = inForce({ verifierKeys: [await keys({}), await keys({ seq: 2, ...other })] })
    assert.equal(verifierKeys?.seq, 1)
  })

test('an excluded signer no longer counts above the policy that excludes it', async () => {
  const excluding = await policy({ seq: 2, excludedSigners: [thumbprint(mary.jwk)] })
  const by = (...people: readonly Signer[]) => policy({ seq: 3 }, people)
  assert.equal(policyAmong(excluding, await by(ada, mary)).seq, 2)
  assert.equal(policyAmong(excluding, await by(ada, mary, grace)).seq, 3)
  // It counted in its time.
  assert.equal(policyAmong(await policy({ seq: 1 }, [ada, mary]), excluding).seq, 2)
})

test('a higher policy takes a signer back', async () => {
  const excluding = await policy({ seq: 2, excludedSigners: [thumbprint(mary.jwk)] })
  const back = await policy({ seq: 3 })
  assert.equal(policyAmong(excluding, back, await policy({ seq: 4 }, [ada, mary])).seq, 4)
})

test('verifier keys: the higher number ends the lower one, also if an excluded signer has signed it', async () => {
  const [first, second] = [await keys({ seq: 1 }), await keys({ seq: 2 }, [ada, mary])]
  assert.equal(inForce({ verifierKeys: [first, second] }).verifierKeys?.document?.seq, 2)
  const policies = [await policy({ excludedSigners: [thumbprint(mary.jwk)] })]
  const excluded = inForce({ policies, verifierKeys: [first, second] }).verifierKeys
  assert.equal(excluded?.seq, 2)
  assert.equal(excluded.document, undefined)
  assert.match(excluded.problem, /signed by an excluded signer/)
})

const permissions = (...revocations: readonly GovernanceDocument<Revocation>[]) =>
  [...inForce({ revocations }).revocation.permissions].sort()

test('one signer revokes at once: in force is the union of all lists', async () => {
  const lists = await Promise.all([
    list({ permissions: ['a'] }),
    list({ permissions: ['b'] }, [grace]),
    list({ seq: 7, permissions: ['a', 'c'] }, [mary]),
  ])
  assert.deepEqual(permissions(...lists), ['a', 'b', 'c'])
})

test('only a quorum takes a list back, by its digest', async () => {
  const first = await list({ permissions: ['a'] })
  const replacing = { seq: 2, replaces: [first.digest], permissions: ['b'] }
  assert.deepEqual(permissions(first, await list(replacing)), ['a', 'b'])
  assert.deepEqual(permissions(first, await list(replacing, [ada, ada])), ['a', 'b'])
  assert.deepEqual(permissions(first, await list(replacing, two)), ['b'])
})

test('a list that was inserted between, or raced for a number, ends no other', async () => {
  const first = await list({ seq: 1 })
  const tenth = await list({ seq: 10, permissions: ['revoked'] })
  const inserted = await list({ seq: 5, permissions: ['junk'] }, [mary])
  const raced = await list({ seq: 10, permissions: ['junk'] }, [mary])
  const squatted = await list({ seq: 999_999_999, permissions: ['junk'] }, [mary])
  assert.deepEqual(permissions(inserted, tenth, squatted, first, raced), ['junk', 'revoked'])
  const quorum = await list({ seq: 11, replaces: [tenth.digest] }, two)
  assert.deepEqual(permissions(first, tenth, inserted, quorum), ['junk'])
})

test('a quorum list that another one replaces has still replaced what it names', async () => {
  const first = await list({ permissions: ['a'] })
  const second = await list({ seq: 2, replaces: [first.digest], permissions: ['b'] }, two)
  const third = await list({ seq: 3, replaces: [second.digest], permissions: ['c'] }, two)
  assert.deepEqual(permissions(first, second, third), ['c'])
})

test('a signer has 64 lists and 4 MiB; the excess is named, and no other signer is concerned', async () => {
  const many = await Promise.all(
    Array.from({ length: 66 }, (_, at) => list({ seq: at + 1, permissions: [`p-${at}`] }, [mary])),
  )
  const other = await list({ seq: 500, permissions: ['other'] })
  const { revocation, ignored } = inForce({ revocations: [...many, other] })
  assert.deepEqual(
    revocation.excess.map(({ seq }) => seq),
    [65, 66],
  )
  assert.deepEqual(
    ignored.map(({ name }) => name),
    many.slice(64).map(({ name }) => name),
  )
  assert.ok(revocation.permissions.includes('other'))
  assert.equal(revocation.permissions.length, 65)
  assert.equal(inForce({ revocations: many.slice(0, 64) }).revocation.excess.length, 0)

  const large = (seq: number): typeof other => ({ ...other, seq, digest: String(seq), size: 2 * 1024 * 1024 })
  assert.equal(inForce({ revocations: [large(1), large(2)] }).revocation.excess.length, 0)
  assert.deepEqual(
    inForce({ revocations: [large(3), large(1), large(2)] }).revocation.excess.map(({ seq }) => seq),
    [3],
  )
})

test('a signer has 4 MiB to the byte, and of lists of one number the excess is the same in any order', async () => {
  const sized = async (seq: number, size: number) => ({ ...(await list({ seq }, [mary])), size })
  const full = await sized(1, 4 * 1024 * 1024 - 1)
  const excess = (...lists: readonly GovernanceDocument<Revocation>[]) =>
    inForce({ revocations: lists }).revocation.excess.map(({ digest }) => digest)
  const [last, beyond] = [await sized(2, 1), await sized(3, 2)]
  assert.deepEqual(excess(full, last), [])
  assert.deepEqual(excess(full, beyond), [beyond.digest])
  const many = await Promise.all(
    Array.from({ length: 65 }, (_, at) => list({ permissions: [`p-${at}`] }, [mary])),
  )
  const greatest = many
    .map(({ digest }) => digest)
    .sort()
    .at(-1)
  for (const lists of [many, many.toReversed()]) assert.deepEqual(excess(...lists), [greatest])
})

test('a quorum list is on no account, and the lists are told by their time', async () => {
  const many = await Promise.all(
    Array.from({ length: 64 }, (_, at) => list({ seq: at + 1, issuedAt: NOW - 64 + at, boots: [] })),
  )
  const quorum = await list({ seq: 65, issuedAt: NOW, permissions: ['p'] }, two)
  const { revocation } = inForce({ revocations: [quorum, ...many.toReversed()] })
  assert.deepEqual(revocation.excess, [])
  assert.deepEqual(
    revocation.lists.map(({ digest }) => digest),
    [...many, quorum].map(({ digest }) => digest),
  )
})

test('a quorum list, or the exclusion of its signer, ends the excess', async () => {
  const many = await Promise.all(
    Array.from({ length: 65 }, (_, at) => list({ seq: at + 1, permissions: [`p-${at}`] }, [mary])),
  )
  const replacing = await list({ seq: 66, replaces: many.map(({ digest }) => digest) }, two)
  assert.equal(inForce({ revocations: [...many, replacing] }).revocation.excess.length, 0)
  const policies = [await policy({ excludedSigners: [thumbprint(mary.jwk)] })]
  const excluded = inForce({ policies, revocations: many }).revocation
  assert.deepEqual([excluded.excess.length, excluded.permissions, excluded.seq], [0, [], 65])
})

test('what is in force depends on the set of documents, never on their order', async () => {
  const policies = await Promise.all([
    policy({ seq: 1 }),
    policy({ seq: 2, excludedSigners: [thumbprint(mary.jwk)] }),
    policy({ seq: 3 }, [ada, mary]),
    policy({ seq: 4 }, [ada]),
  ])
  const first = await list({ permissions: ['a'] })
  const revocations = [
    first,
    await list({ permissions: ['b'] }, [mary]),
    await list({ seq: 3, replaces: [first.digest], permissions: ['c'] }, two),
    await list({ seq: 2, permissions: ['d'] }, [grace]),
  ]
  const verifierKeys = [await keys({ seq: 1 }), await keys({ seq: 2 })]
  const expected = inForce({ policies, revocations, verifierKeys })
  const shuffled = <T>(values: readonly T[]) =>
    fc.shuffledSubarray([...values], { minLength: values.length, maxLength: values.length })
  fc.assert(
    fc.property(shuffled(policies), shuffled(revocations), shuffled(verifierKeys), (a, b, c) => {
      const { ignored, ...rest } = inForce({ policies: a, revocations: b, verifierKeys: c })
      const { ignored: before, ...found } = expected
      assert.deepEqual(rest, found)
      assert.deepEqual(new Set(ignored), new Set(before))
    }),
  )
})
