/** Which governance object comes into force: pure rules over the objects that a listing found. */
import {
  type Policy,
  PolicyFormat,
  policyName,
  type Revocation,
  RevocationFormat,
  revocationName,
} from '../appraisal/policy.ts'
import { fromBase64url, sha256, toBase64url } from '../bytes.ts'
import { CodedError } from '../errors.ts'
import type { SigningJwk } from '../jwk.ts'
import { parseGeneral, type Root, verifyQuorum } from '../jws.ts'
import type { UnixSeconds } from '../time.ts'
import { type VerifierKeys, VerifierKeysFormat, verifierKeysName } from './grant.ts'
import { checkPolicy, type LoadingVerifier } from './policyCheck.ts'
import type { ReleaseResponse } from './request.ts'

export type LoadedPolicy = { readonly policy: Policy; readonly digest: string }
export type LoadedKeys = {
  readonly verifierKeys: VerifierKeys
  /** As signed: it goes to the workers unchanged. */
  readonly signed: ReleaseResponse['verifierKeys']
}

/** Throws `policy.invalid`: not signed by a quorum, under a name that is not its number, or not for this Verifier. */
export function readPolicy(
  bytes: Uint8Array,
  name: string,
  root: Root,
  verifier: LoadingVerifier,
): LoadedPolicy {
  const signed = parseGeneral(bytes, 'policy.invalid')
  const { payload: policy } = verifyQuorum(PolicyFormat, signed, root, 'policy.invalid')
  expectName(name, policyName(policy.seq))
  checkPolicy(policy, verifier)
  return { policy, digest: toBase64url(sha256(fromBase64url(signed.payload))) }
}

/** Throws `policy.invalid`, also for a key that is not the P-384 key that this Verifier signs with. */
export function readVerifierKeys(
  bytes: Uint8Array,
  name: string,
  root: Root,
  own: { readonly keyId: string; readonly jwk: SigningJwk },
): LoadedKeys {
  const signed = parseGeneral(bytes, 'policy.invalid')
  const { payload: verifierKeys } = verifyQuorum(VerifierKeysFormat, signed, root, 'policy.invalid')
  expectName(name, verifierKeysName(verifierKeys.seq))
  const { grantCa } = verifierKeys
  if (
    grantCa.keyId !== own.keyId ||
    own.jwk.kty !== 'EC' ||
    grantCa.jwk.x !== own.jwk.x ||
    grantCa.jwk.y !== own.jwk.y
  )
    throw new CodedError('policy.invalid', `${name} certifies another grant CA than this Verifier's`)
  return { verifierKeys, signed }
}

/**
 * One signer revokes at once; taking something back that is revoked needs the quorum. Throws `policy.invalid`.
 * `current` is the list in force, which must have a lower number.
 */
export function readRevocation(
  bytes: Uint8Array,
  name: string,
  root: Root,
  current: Revocation | undefined,
): Revocation {
  const signed = parseGeneral(bytes, 'policy.invalid')
  const { payload: revocation, persons } = verifyQuorum(
    RevocationFormat,
    signed,
    { ...root, threshold: 1 },
    'policy.invalid',
  )
  expectName(name, revocationName(revocation.seq))
  const restored = current === undefined ? [] : restoredBy(revocation, current)
  if (restored.length > 0 && persons.length < root.threshold)
    throw new CodedError(
      'policy.invalid',
      `${name} restores ${restored.length} revoked names with ${persons.length} of ${root.threshold} signatures`,
    )
  return revocation
}

/** A policy that has ended leaves none in force: an older one never comes back. */
export function isInForce({ issuedAt, expiresAt }: Policy, now: UnixSeconds): boolean {
  return issuedAt <= now && now < expiresAt
}

const LISTS = ['releases', 'objects', 'boots', 'permissions'] as const

function restoredBy(next: Revocation, current: Revocation): string[] {
  return LISTS.flatMap((list) => {
    const kept = new Set(next[list])
    return current[list].filter((name) => !kept.has(name))
  })
}

function expectName(name: string, expected: string): void {
  if (name !== expected)
    throw new CodedError('policy.invalid', `${name} holds what belongs under ${expected}`)
}
