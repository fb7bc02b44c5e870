/** Answers of a Verifier that is shown less than was in force, and answers whose statement proves nothing. */
import { toBase64url } from '#core/bytes.ts'
import type { ErrorCode } from '#core/errors.ts'
import { P384Jwk } from '#core/jwk.ts'
import { signGeneral } from '#core/jws.ts'
import { VerifierKeysFormat } from '#core/policy/verifierKeys.ts'
import { grantDigest } from '#core/release/issue.ts'
import { seeded } from '../sealed/seeded.ts'
import { type AnswerChanges, ada, answerOf, EXPECTED, FRESHNESS, grace, NOW, VERIFIER_KEYS } from './cases.ts'
import { ed25519, p384 } from './keys.ts'
import type { Expected, Vector } from './vector.ts'

const named = (seq: number) => ({ seq, digest: toBase64url(seeded(`number ${seq}`)(32)) })
const seen = (changes: Partial<Expected['seen'][number]>): Partial<Expected> => {
  const { policy, verifierKeys, revocation, consent } = FRESHNESS
  return { seen: [{ policy, verifierKeys, revocation, consent, ...changes }] }
}

async function vectorOf(
  name: string,
  note: string,
  code: ErrorCode | 'accepted',
  changes: AnswerChanges = {},
  expected: Partial<Expected> = {},
): Promise<Vector> {
  const response = await answerOf(changes)
  const [granted] = response.answers
  return {
    name: `freshness ${name}`,
    spec: 'docs/formats/release.md §8, §9.4',
    operation: 'accept-answer',
    input: { response, expected: { ...EXPECTED, ...expected } },
    ...(code === 'accepted'
      ? { expect: 'accepted', output: [grantDigest(granted?.grant ?? '')] }
      : { expect: { error: code } }),
    note,
  }
}

/** Last, so that the numbers of the others stay. */
export async function freshnessVectors(): Promise<Vector[]> {
  const make = vectorOf
  const untrusted = 'verifier.untrusted'
  const old = {
    ...VERIFIER_KEYS,
    seq: 2,
    grantCa: { ...VERIFIER_KEYS.grantCa, jwk: P384Jwk.parse(p384('grant ca of before').jwk) },
  }
  const earlier = async (changes: object, by = [ada.signer, grace.signer]) => ({
    earlierKeys: [await signGeneral(VerifierKeysFormat, { ...old, ...changes }, by)],
  })
  return [
    await make('by another key', 'not the key that the verifier keys name', untrusted, {
      freshnessSigner: ed25519('somebody else').signer,
    }),
    await make('for another audience', 'a statement for other Verifiers', untrusted, {
      freshness: { audience: `${FRESHNESS.audience}:444` },
    }),
    await make('for another tenant', 'a statement of another provider', untrusted, {
      freshness: { tenant: 'hospital-b' },
    }),
    await make('at its last second', 'exp is after the minting of the nonce', 'accepted', {
      freshness: { iat: NOW - 899, exp: NOW + 1 },
    }),
    await make('ended', 'exp is the minting of the nonce', 'grant.stale', {
      freshness: { iat: NOW - 900, exp: NOW },
    }),
    await make('ended for the worker', 'it has verified a later time', 'grant.stale', {}, { now: NOW + 800 }),
    await make('from after the nonce', 'no Verifier that took the nonce had it', 'grant.stale', {
      freshness: { iat: NOW + 300, exp: NOW + 301 },
    }),
    await make('above the policy', 'the grant is under policy 12', 'grant.stale', {
      freshness: { policy: named(13) },
    }),
    await make('above the revocation', 'the grant knows no list', 'grant.stale', {
      freshness: { revocation: named(1) },
    }),
    await make('above the verifier keys', 'the answer has number 3', 'grant.stale', {
      freshness: { verifierKeys: named(4) },
    }),
    await make('of other verifier keys', 'of the same number', 'grant.stale', {
      freshness: { verifierKeys: named(3) },
    }),
    await make('that was seen', 'the same numbers', 'accepted', {}, seen({})),
    await make('below a policy that was seen', 'policy 13', 'grant.stale', {}, seen({ policy: named(13) })),
    await make(
      'below a revocation that was seen',
      'one list',
      'grant.stale',
      {},
      seen({ revocation: named(1) }),
    ),
    await make(
      'below verifier keys that were seen',
      'number 4',
      'grant.stale',
      {},
      seen({ verifierKeys: named(4) }),
    ),
    await make(
      'older than one that was seen',
      'what the answer has counts, not its statement',
      'accepted',
      { grant: { policySeq: 13, revocationSeq: 1 }, freshness: { iat: NOW - 800, exp: NOW + 100 } },
      seen({ policy: named(13), revocation: named(1) }),
    ),
    await make('with keys of before', 'they certified another grant CA', 'accepted', await earlier({})),
    await make(
      'with keys of before by one signer',
      'a quorum signs',
      untrusted,
      await earlier({}, [ada.signer]),
    ),
    await make(
      'with keys of before of another tenant',
      'tenant',
      untrusted,
      await earlier({ tenant: 'hospital-b' }),
    ),
    await make('of a grant of another tenant', "the verifier keys' tenant", 'grant.invalid', {
      grant: { tenant: 'hospital-b' },
    }),
    await make('of verifier keys for another audience', "the pin's audience", untrusted, {
      verifierKeys: { audience: `${FRESHNESS.audience}:444` },
    }),
  ]
}
