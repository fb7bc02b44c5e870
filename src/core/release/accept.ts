/**
 * Verifies a response on the worker's side. Nothing is decrypted before every part of it is verified up to
 * the provider root and compared with this request.
 */
import type { KeyObject } from 'node:crypto'
import { fromBase64url, sameBytes, toBase64url } from '../bytes.ts'
import { CodedError } from '../errors.ts'
import { type P256Jwk, thumbprint } from '../jwk.ts'
import { peekCompact, verifyCompact } from '../jws.ts'
import { grantedTerms } from '../policy/terms.ts'
import type { GrantCa, VerifierKeys } from '../policy/verifierKeys.ts'
import { headerDigest } from '../sealed/header.ts'
import { SetRecordFormat } from '../sealed/setRecord.ts'
import type { SecretMemory } from '../secretMemory.ts'
import { knownCode } from './about.ts'
import type { Asker } from './assertion.ts'
import { acceptEnvelope, acceptGrantCas, type ExpectedEnvelope } from './envelope.ts'
import { type Grant, GrantFormat, type GrantKey } from './grant.ts'
import { grantDigest, keyDigest } from './issue.ts'
import { NONCE_LIFETIME_SECONDS, nonceTime } from './nonce.ts'
import { type Denial, RefusalFormat, RequestRefused } from './refusal.ts'
import type { RefusedResponse, ReleaseJob, ReleaseResponse } from './request.ts'
import { type ObjectKeys, unwrapKeys, unwrapListKey } from './wrap.ts'

declare const accepted: unique symbol
/** A grant that `acceptAnswer` has verified. Only such a grant opens keys. */
export type AcceptedGrant = {
  readonly [accepted]: true
  readonly kind: 'granted'
  readonly grant: Grant
  readonly grantDigest: string
  /** Both as received: what shows to others what the Verifier has granted. */
  readonly signed: { readonly grant: string; readonly grantKey: string }
  /** The grant CAs that the provider's root has certified, the current one first. They register boots. */
  readonly grantCas: readonly GrantCa[]
  /** One compact JWE per object of the grant. */
  readonly keys: readonly string[]
  /** The JWE with the keys of the consent lists; null if the dataset has none. */
  readonly consentKeys: string | null
}
/** A refusal that the grant key signed, for this job of this request. */
export type AcceptedRefusal = {
  readonly kind: 'refused'
  /** `refusal.unknown` for a code that this version does not know. */
  readonly denial: Denial
  readonly message: string
}
export type AcceptedAnswer = AcceptedGrant | AcceptedRefusal

/** The worker's own request, with which the response is compared. */
export type Expectation = ExpectedEnvelope & {
  readonly asker: Asker
  readonly boot: string
  readonly wrapKey: P256Jwk
  readonly jobs: readonly ReleaseJob[]
  /** Only a worker in simulation accepts a simulated grant. */
  readonly simulation: boolean
}

/**
 * One answer per job, in order. Throws `verifier.untrusted` if the keys do not lead to the provider root, or a
 * refusal is not signed by them or not about this request; `grant.invalid` if a grant is not; `grant.stale` for
 * what was in force once. The whole response is then unused.
 */
export function acceptAnswer(response: ReleaseResponse, expected: Expectation): readonly AcceptedAnswer[] {
  const { verifierKeys, grantKey } = acceptEnvelope(response, expected)
  const grantCas = acceptGrantCas(response, verifierKeys, expected)
  if (response.answers.length !== expected.jobs.length)
    throw new CodedError(
      'verifier.untrusted',
      `the response has ${response.answers.length} answers for ${expected.jobs.length} jobs`,
    )
  return response.answers.map((answer, index): AcceptedAnswer => {
    if ('refusal' in answer) return acceptRefusal(answer.refusal, index, verifierKeys, grantKey, expected)
    const { payload: grant } = verifyCompact(GrantFormat, answer.grant, [grantKey.jwk], 'grant.invalid')
    expectInForce(grant, verifierKeys, grantKey, expected)
    expectKeys(grant, answer)
    expect('tenant', grant.tenant === verifierKeys.tenant, 'the tenant of the verifier keys')
    expectAboutRequest(grant, expected.jobs[index], expected)
    expected.floor.expectGrant(grant)
    // The brand has no run-time form. Only this line gives it.
    return {
      kind: 'granted',
      grant,
      grantDigest: grantDigest(answer.grant),
      signed: { grant: answer.grant, grantKey: response.grantKey },
      grantCas,
      keys: answer.keys,
      consentKeys: answer.consentKeys,
    } as unknown as AcceptedGrant
  })
}

/** The refusal of the request as a whole. Throws as `acceptAnswer`. */
export function acceptRefused(response: RefusedResponse, expected: Expectation): RequestRefused {
  const { verifierKeys, grantKey } = acceptEnvelope(response, expected)
  const { denial, message } = acceptRefusal(response.refusal, null, verifierKeys, grantKey, expected)
  return new RequestRefused(denial, message)
}

function acceptRefusal(
  refusal: string,
  job: number | null,
  verifierKeys: VerifierKeys,
  grantKey: GrantKey,
  { nonce, now }: Expectation,
): AcceptedRefusal {
  const { payload } = verifyCompact(RefusalFormat, refusal, [grantKey.jwk], 'verifier.untrusted')
  const minted = nonceTime(nonce)
  const rules: readonly (readonly [boolean, string])[] = [
    [sameBytes(fromBase64url(payload.nonce), nonce), 'nonce is of another request'],
    [payload.job === job, 'job is another job'],
    [
      grantKey.nbf < minted + NONCE_LIFETIME_SECONDS && Math.max(minted, now) < grantKey.exp,
      'the grant key is not in force',
    ],
    [Math.max(minted, now) < verifierKeys.exp, 'the verifier keys are not in force'],
  ]
  const broken = rules.filter(([holds]) => !holds).map(([, what]) => what)
  if (broken.length > 0) throw new CodedError('verifier.untrusted', `refusal: ${broken.join('; ')}`)
  const { code, about, denialId } = payload
  const whose = job === null ? 'the request' : 'the job'
  return {
    kind: 'refused',
    denial: { code: knownCode(code), denialId },
    message: `the Verifier refuses ${whose} with ${code}, about ${about}, denial ${denialId}`,
  }
}

/** The keys of the object at `index`, in `memory`; the caller frees them. Throws `key.unopened`. */
export function keysOf(
  { grant, keys }: AcceptedGrant,
  index: number,
  wrapKey: KeyObject,
  memory: SecretMemory,
): ObjectKeys {
  const [object, key] = [grant.objects[index], keys[index]]
  if (object === undefined || key === undefined)
    throw new CodedError('internal.fault', `the grant has no object ${index}`)
  const context = { nonce: fromBase64url(grant.nonce), headerDigest: fromBase64url(object.headerDigest) }
  return unwrapKeys(key, wrapKey, context, memory)
}

/**
 * The key of the consent list at `index`, in `memory`; the caller frees it. Throws `key.unopened`. Only for a
 * grant with lists.
 */
export function listKeyOf(
  { grant, consentKeys }: AcceptedGrant,
  index: number,
  wrapKey: KeyObject,
  memory: SecretMemory,
): Buffer {
  const { consent, nonce } = grant
  if (consent === null || consentKeys === null || index >= consent.lists.length)
    throw new CodedError('internal.fault', `the grant has no consent list ${index}`)
  const context = { nonce: fromBase64url(nonce), consentDigest: fromBase64url(consent.digest) }
  return unwrapListKey(consentKeys, wrapKey, context, { index, count: consent.lists.length }, memory)
}

/**
 * The time is the Verifier's `iat` of the grant. The fresh nonce and wrap key bind it to this request. `now`
 * can only make the check stricter.
 */
function expectInForce(
  grant: Grant,
  verifierKeys: VerifierKeys,
  grantKey: GrantKey,
  { nonce, now }: Expectation,
): void {
  const at = Math.max(grant.iat, now)
  const minted = nonceTime(nonce)
  expect(
    'iat',
    grant.iat >= minted && grant.iat < minted + NONCE_LIFETIME_SECONDS,
    'within the life of the nonce',
  )
  expect('grant key', grantKey.nbf <= grant.iat && at < grantKey.exp, 'in force')
  expect('verifier keys', at < verifierKeys.exp, 'in force')
  expect('exp', at < grant.exp, 'in the future')
}

function expectKeys(
  { objects, consent }: Grant,
  { keys, consentKeys }: Pick<AcceptedGrant, 'keys' | 'consentKeys'>,
): void {
  expect('keys', keys.length === objects.length, 'one per object')
  for (const [index, object] of objects.entries())
    expect(
      `objects.${index}.keyDigest`,
      object.keyDigest === keyDigest(keys[index] ?? ''),
      'the digest of its key',
    )
  expect(
    'consent.keyDigest',
    (consent?.keyDigest ?? null) === (consentKeys === null ? null : keyDigest(consentKeys)),
    'the digest of the keys of its lists',
  )
}

function expectAboutRequest(grant: Grant, job: ReleaseJob | undefined, expected: Expectation): void {
  expect('nonce', sameBytes(fromBase64url(grant.nonce), expected.nonce), 'the nonce of the request')
  expect('aud', grant.aud === expected.audience, 'the audience of the request')
  expect('wrapKey', grant.wrapKey === thumbprint(expected.wrapKey), 'the wrap key of the request')
  expect('boot', grant.boot === expected.boot, 'this boot')
  expect('client', grant.client === expected.asker.client, 'the client of the request')
  expect('purpose', grant.purpose === expected.asker.purpose, 'the purpose of the request')
  expect('termsDigest', grant.termsDigest === grantedTerms(grant).termsDigest, 'the digest of its terms')
  expect('simulation', !grant.simulation || expected.simulation, 'false outside simulation')
  expect('set', grant.set === setOf(job), 'the set of the job')
  expect('objects', grant.objects.length === job?.objects.length, 'as long as in the job')
  for (const [index, object] of grant.objects.entries()) {
    const asked = job?.objects[index]
    expect(
      `objects.${index}`,
      asked !== undefined &&
        object.headerDigest === toBase64url(headerDigest(asked.header)) &&
        object.bucket === asked.bucket &&
        object.name === asked.name &&
        object.etag === asked.etag,
      'the object of the job, in its version',
    )
  }
}

/** The id in the set record that this worker read itself. */
function setOf(job: ReleaseJob | undefined): string | null {
  if (job?.set === undefined) return null
  return peekCompact(SetRecordFormat, job.set, 'object.malformed').payload.set
}

function expect(field: string, holds: boolean, what: string): void {
  if (!holds) throw new CodedError('grant.invalid', `${field} of the grant is not ${what}`)
}
