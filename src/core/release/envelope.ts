/**
 * What leads from the provider root to each answer of a Verifier, verified on the worker's side: verifier keys,
 * grant key, freshness statement. An answer of a worker's own request can still be decided under what is no
 * longer in force; the statement, by another key and host, bounds that to 15 minutes.
 */
import { fromBase64url, sha256, toBase64url } from '../bytes.ts'
import { CodedError, under } from '../errors.ts'
import { importJwk } from '../jwk.ts'
import { type GeneralJws, type QuorumRoot, verifyCompact, verifyQuorum } from '../jws.ts'
import type { Floor } from '../policy/floor.ts'
import { readFreshness } from '../policy/freshness.ts'
import { type GrantCa, type VerifierKeys, VerifierKeysFormat } from '../policy/verifierKeys.ts'
import type { UnixSeconds } from '../time.ts'
import { type GrantKey, GrantKeyFormat } from './grant.ts'
import { NONCE_LIFETIME_SECONDS, nonceTime } from './nonce.ts'
import type { RefusedResponse, ReleaseResponse } from './request.ts'

export type ExpectedEnvelope = {
  readonly providerRoot: QuorumRoot
  readonly audience: string
  readonly nonce: Uint8Array
  /** The latest Verifier time that this process has verified, or its own clock. */
  readonly now: UnixSeconds
  /** Raised by the statement of this answer, if that verifies. */
  readonly floor: Floor
}

export type AcceptedEnvelope = { readonly verifierKeys: VerifierKeys; readonly grantKey: GrantKey }

/**
 * Throws `verifier.untrusted` for what does not lead to the provider root or is for another deployment, and
 * `grant.stale` for a statement that is not in force and for verifier keys below the floor.
 */
export function acceptEnvelope(
  response: Pick<ReleaseResponse | RefusedResponse, 'verifierKeys' | 'grantKey' | 'freshness'>,
  expected: ExpectedEnvelope,
): AcceptedEnvelope {
  const verifierKeys = acceptVerifierKeys(response.verifierKeys, expected)
  const grantKey = acceptGrantKey(response.grantKey, verifierKeys)
  acceptFreshness(response.freshness, verifierKeys, expected)
  expected.floor.expectKeys({ seq: verifierKeys.seq, digest: digestOf(response.verifierKeys) })
  return { verifierKeys, grantKey }
}

/**
 * The grant CAs that registered boots: of the keys in force, and those that the quorum certified before. The pin
 * has no tenant; all must be of the one that the keys in force name. Throws `verifier.untrusted`.
 */
export function acceptGrantCas(
  { earlierKeys }: Pick<ReleaseResponse, 'earlierKeys'>,
  verifierKeys: VerifierKeys,
  expected: ExpectedEnvelope,
): readonly GrantCa[] {
  const earlier = earlierKeys.map((signed) => acceptVerifierKeys(signed, expected))
  const { tenant } = verifierKeys
  const foreign = earlier.find((keys) => keys.tenant !== tenant)
  if (foreign !== undefined)
    throw new CodedError(
      'verifier.untrusted',
      `verifier keys ${foreign.seq} are for ${foreign.tenant}, expected ${tenant}`,
    )
  return [verifierKeys, ...earlier].map(({ grantCa, exp }) => ({ jwk: grantCa.jwk, exp }))
}

function acceptVerifierKeys(
  signed: GeneralJws,
  { providerRoot, audience }: Pick<ExpectedEnvelope, 'providerRoot' | 'audience'>,
): VerifierKeys {
  const { payload } = under('verifier.untrusted', () =>
    verifyQuorum(VerifierKeysFormat, signed, providerRoot, 'verifier.untrusted'),
  )
  if (payload.audience !== audience)
    throw new CodedError(
      'verifier.untrusted',
      `the verifier keys are for ${payload.audience}, expected ${audience}`,
    )
  return payload
}

function acceptGrantKey(certificate: string, { grantCa }: VerifierKeys): GrantKey {
  return under('verifier.untrusted', () => {
    importJwk(grantCa.jwk)
    return verifyCompact(GrantKeyFormat, certificate, [grantCa.jwk], 'verifier.untrusted')
  }).payload
}

/**
 * The Verifier has taken the nonce, so its time lies within the nonce's life: a statement of later is none
 * that it can have had. `now` can only make the check stricter.
 */
function acceptFreshness(
  jws: string,
  { freshnessKey, tenant, audience }: VerifierKeys,
  { nonce, now, floor }: ExpectedEnvelope,
): void {
  const statement = under('verifier.untrusted', () => readFreshness(jws, freshnessKey, { tenant, audience }))
  const minted = nonceTime(nonce)
  const { iat, exp } = statement
  if (iat >= minted + NONCE_LIFETIME_SECONDS || Math.max(minted, now) >= exp)
    throw new CodedError(
      'grant.stale',
      `the freshness statement is in force from ${iat} to ${exp}, the answer is of ${Math.max(minted, now)}`,
    )
  floor.raise(statement)
}

function digestOf({ payload }: GeneralJws): string {
  return toBase64url(sha256(fromBase64url(payload)))
}
