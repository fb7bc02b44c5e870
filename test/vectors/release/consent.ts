/** Vectors of consent lists: who may add, who may take back, and what a grant says of them. */
import { fromBase64url, sha256, toBase64url, toHex, utf8 } from '#core/bytes.ts'
import type { ErrorCode } from '#core/errors.ts'
import { type SigningJwk, thumbprint } from '#core/jwk.ts'
import type { Signer } from '#core/jws.ts'
import { type Consent, consentKind } from '#core/policy/consent.ts'
import { POLICY as POLICY_KIND, type Policy } from '#core/policy/policy.ts'
import type { GrantedConsent } from '#core/release/grant.ts'
import { grantDigest, keyDigest } from '#core/release/issue.ts'
import { MIN_LIST_BYTES } from '#core/sealed/consentList.ts'
import { seeded } from '../sealed/seeded.ts'
import {
  ada,
  answerOf,
  DEPLOYMENT,
  EXPECTED,
  grace,
  NONCE,
  NOW,
  POLICY,
  ROOT,
  VERIFIER,
  wrap,
} from './cases.ts'
import { ANY_POLICY, signed } from './documents.ts'
import { ed25519, wrapSeeded } from './keys.ts'
import type { Document, Vector } from './vector.ts'

const PAGE = 'docs/formats/release.md'
const DATASET = 'cohort-1'
const KEY_ID = 'ocid1.key.oc1.eu-frankfurt-1.consent'
const officer = ed25519('consent officer')
const successor = ed25519('consent successor')
const stranger = ed25519('consent stranger')
const both = [ada.signer, grace.signer]

const KEYS = seeded('list keys')(64)
const CONTEXT = { apu: sha256(NONCE), apv: sha256(utf8('consent')) }
const LIST_KEYS = wrapSeeded('list keys', KEYS, wrap.jwk, CONTEXT)
const CONSENT: GrantedConsent = {
  seq: 2,
  digest: toBase64url(CONTEXT.apv),
  namespace: 'hospital',
  bucket: 'governance',
  lists: ['one', 'two'].map((id) => ({
    id: listId(id),
    digest: toBase64url(sha256(utf8(id))),
    bytes: MIN_LIST_BYTES,
  })),
  keyDigest: keyDigest(LIST_KEYS),
}

type Expectation = { expect: 'accepted'; output?: unknown } | { expect: { error: ErrorCode } }
const accepted = (output?: unknown): Expectation =>
  output === undefined ? { expect: 'accepted' } : { expect: 'accepted', output }
const error = (code: ErrorCode): Expectation => ({ expect: { error: code } })

/** Last, so that the numbers of the others stay. */
export async function consentVectors(): Promise<Vector[]> {
  return [
    ...(await policyVectors()),
    ...(await inForceVectors()),
    ...(await answerVectors()),
    ...listKeyVectors(),
  ]
}

const withConsent = (consent: unknown) => ({
  ...POLICY,
  datasets: POLICY.datasets.map((dataset) => ({ ...dataset, consent })),
})
const consentOf = (...keys: readonly SigningJwk[]) => ({ keys: [...keys], keyIds: [KEY_ID] })

async function policyVectors(): Promise<Vector[]> {
  const make = async (
    name: string,
    consent: unknown,
    note: string,
    expectation: Expectation,
  ): Promise<Vector> => ({
    name: `policy ${name}`,
    spec: `${PAGE} §9.1`,
    operation: 'load-policy',
    input: { ...(await signed(ANY_POLICY, withConsent(consent), both)), root: ROOT, verifier: VERIFIER },
    ...expectation,
    note,
  })
  const invalid = error('policy.invalid')
  const x = toBase64url(Buffer.alloc(48, 1))
  const offCurve = { kty: 'EC', crv: 'P-384', x, y: x } as const
  return [
    await make('with consent keys', consentOf(officer.jwk), 'patients may withdraw', accepted(POLICY.seq)),
    await make('with consent of no key', consentOf(), 'no one could ever withdraw', invalid),
    await make(
      'with consent of no Vault key',
      { keys: [officer.jwk], keyIds: [] },
      'no list could ever be opened',
      invalid,
    ),
    await make('with a consent key off its curve', consentOf(offCurve), 'the key of a dataset', invalid),
    await make('without consent', undefined, 'absent fields refuse to load', invalid),
  ]
}

async function inForceVectors(): Promise<Vector[]> {
  const policy = (consent: unknown, changes: Partial<Policy> = {}) =>
    signed(POLICY_KIND, { ...withConsent(consent), ...changes } as Policy, both)
  const list = (id: string, by: readonly Signer[], changes: Partial<Consent> = {}) =>
    signed(consentKind(changes.dataset ?? DATASET), documentOf(id, changes), by)
  const digest = ({ document }: Document) => toBase64url(sha256(fromBase64url(document.payload)))
  const lists = (known: readonly Document[], inForce: readonly string[], problem = '') => ({
    [DATASET]: {
      seq: known.length,
      digest: toBase64url(sha256(utf8(known.map(digest).sort().join('\n')))),
      inForce: inForce.map(listId),
      problem,
    },
  })
  const nothing = { referenceValues: [], objects: [], boots: [], permissions: [] }
  const make = (
    name: string,
    note: string,
    [newest, ...older]: readonly Document[],
    documents: readonly Document[],
    { consent, ignored = [] }: { consent: object; ignored?: readonly Document[] },
  ): Vector => ({
    name: `in force ${name}`,
    spec: `${PAGE} §9.6`,
    operation: 'in-force',
    input: {
      documents: [...(newest === undefined ? [] : [newest]), ...older, ...documents],
      root: ROOT,
      deployment: DEPLOYMENT,
      now: NOW,
    },
    ...accepted({
      policy: newest === undefined ? null : { seq: Number(newest.name.slice(7, 16)), digest: digest(newest) },
      verifierKeys: null,
      revocation: { seq: 0, digest: toBase64url(sha256()), ...nothing },
      consent,
      ignored: ignored.map((stored) => stored.name).sort(),
    }),
    note,
  })
  const [byOfficer, bySuccessor, byStranger] = [[officer.signer], [successor.signer], [stranger.signer]]
  const own = await policy(consentOf(officer.jwk))
  const none = await policy(null)
  const rotated = await policy(consentOf(successor.jwk), { seq: POLICY.seq + 1 })
  const excluding = await policy(consentOf(successor.jwk), {
    seq: POLICY.seq + 1,
    excludedSigners: [thumbprint(officer.jwk)],
  })
  const one = await list('one', byOfficer, { issuedAt: NOW - 50 })
  const two = await list('two', byOfficer, { seq: 2, issuedAt: NOW - 40 })
  const back = { seq: 3, issuedAt: NOW - 30, replaces: [digest(one)] }
  const byOne = await list('three', byOfficer, back)
  const byQuorum = await list('three', both, back)
  const bySigner = await list('three', [ada.signer], { seq: 3, issuedAt: NOW - 30 })
  const strange = await list('three', byStranger, { seq: 3 })
  const late = await list('three', bySuccessor, { seq: 3, issuedAt: NOW - 30 })
  const foreign = await list('three', byOfficer, { seq: 3, tenant: 'hospital-b' })
  const elsewhere = await list('three', byOfficer, { seq: 3, dataset: 'cohort-2' })
  const many = await Promise.all(
    Array.from({ length: 65 }, (_, n) => list(`${n}`, byOfficer, { seq: n + 1, issuedAt: NOW - 100 + n })),
  )
  return [
    make('without a consent list', 'the dataset gives nothing', [own], [], {
      consent: lists([], [], 'no list is in force'),
    }),
    make('for a dataset without consent', 'its lists are not read', [none], [one], { consent: {} }),
    make('withdrawn by two consent lists', 'the union', [own], [two, one], {
      consent: lists([one, two], ['one', 'two']),
    }),
    make('withdrawn by a stranger', 'no consent key of the dataset', [own], [one, strange], {
      consent: lists([one], ['one']),
    }),
    make('withdrawn by one signer', 'a signer of policies is no consent key', [own], [one, bySigner], {
      consent: lists([one, bySigner], ['one']),
      ignored: [bySigner],
    }),
    make('not taken back by a consent key', 'a consent key may only add', [own], [one, two, byOne], {
      consent: lists([one, two, byOne], ['one', 'two', 'three']),
    }),
    make('withdrawals taken back by the quorum', 'by the digest of the list', [own], [one, two, byQuorum], {
      consent: lists([one, two, byQuorum], ['two', 'three']),
    }),
    make(
      'withdrawn under a key of an older policy',
      'those who withdrew stay so',
      [rotated, own],
      [one, late],
      {
        consent: lists([one, late], ['one', 'three']),
      },
    ),
    make('withdrawn under an excluded key', 'the quorum ends the key', [excluding, own], [one, late], {
      consent: lists([one, late], ['three']),
      ignored: [one],
    }),
    make('withdrawn for another tenant', 'it counts for nothing here', [own], [one, foreign], {
      consent: lists([one], ['one']),
      ignored: [foreign],
    }),
    make('withdrawn from another dataset', 'each dataset has a folder', [own], [one, elsewhere], {
      consent: lists([one], ['one']),
    }),
    make('withdrawn by more lists than are allowed', 'the quorum merges them', [own], many, {
      consent: lists(
        many,
        many.map((_, n) => `${n}`),
        '65 lists are in force, at most 64 are allowed',
      ),
    }),
  ]
}

async function answerVectors(): Promise<Vector[]> {
  const make = async (
    name: string,
    note: string,
    changes: { consent?: GrantedConsent | null; unchecked?: object; consentKeys?: string | null },
    refused?: Expectation,
  ): Promise<Vector> => {
    const consent = changes.consent === undefined ? CONSENT : changes.consent
    const response = await answerOf({
      unchecked: { consent, ...changes.unchecked },
      consentKeys: changes.consentKeys === undefined ? LIST_KEYS : changes.consentKeys,
    })
    return {
      name: `answer ${name}`,
      spec: `${PAGE} §6.3, §8`,
      operation: 'accept-answer',
      input: { response, expected: EXPECTED },
      ...(refused ?? accepted([grantDigest(response.answers[0]?.grant ?? '')])),
      note,
    }
  }
  const invalid = error('grant.invalid')
  return [
    await make('with consent lists', 'their keys come with the grant', {}),
    await make(
      'with other keys of lists',
      'keyDigest',
      { consentKeys: wrapSeeded('other', KEYS, wrap.jwk, CONTEXT) },
      invalid,
    ),
    await make(
      'with consent and no keys of lists',
      'the lists could not be opened',
      { consentKeys: null },
      invalid,
    ),
    await make('with keys of lists and no consent', 'the grant names no list', { consent: null }, invalid),
    await make('with consent and no list', 'at least one', { consent: { ...CONSENT, lists: [] } }, invalid),
    await make(
      'with consent of 65 lists',
      'at most 64',
      { consent: { ...CONSENT, lists: Array(65).fill(CONSENT.lists[0]) } },
      invalid,
    ),
    await make(
      'without consent',
      'null says that there are no lists',
      { unchecked: { consent: undefined } },
      invalid,
    ),
  ]
}

function listKeyVectors(): Vector[] {
  const make = (
    name: string,
    note: string,
    changes: Partial<Extract<Vector, { operation: 'unwrap-list-key' }>['input']>,
    expectation: Expectation = error('key.unopened'),
  ): Vector => ({
    name: `list key ${name}`,
    spec: `${PAGE} §7`,
    operation: 'unwrap-list-key',
    input: {
      jwe: LIST_KEYS,
      wrapKey: { ...wrap.jwk, d: String(wrap.privateKey.export({ format: 'jwk' }).d) },
      nonce: toBase64url(NONCE),
      consentDigest: CONSENT.digest,
      index: 1,
      count: 2,
      ...changes,
    },
    ...expectation,
    note,
  })
  return [
    make('good', 'the second of two', {}, accepted(toBase64url(KEYS.subarray(32)))),
    make('of three lists', 'the length is 32 bytes for each', { count: 3 }),
    make('for another state of consent', 'apv', { consentDigest: toBase64url(sha256()) }),
    make('for another nonce', 'apu', { nonce: toBase64url(seeded('another nonce')(61)) }),
  ]
}

function documentOf(id: string, changes: Partial<Consent>): Consent {
  return {
    v: 1,
    seq: 1,
    ...DEPLOYMENT,
    issuedAt: NOW,
    dataset: DATASET,
    replaces: [],
    list: {
      id: listId(id),
      digest: toBase64url(sha256(utf8(id))),
      bytes: MIN_LIST_BYTES,
      custody: {
        keyId: KEY_ID,
        keyVersionId: KEY_ID.replace('key', 'keyversion'),
        wrappedDek: toBase64url(seeded(`wrapped ${id}`)(96)),
      },
    },
    ...changes,
  }
}

function listId(id: string): string {
  return toHex(seeded(`list ${id}`)(16))
}
