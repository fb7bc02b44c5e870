/** A policy that a quorum has signed and that fits this Verifier. */
import { fromBase64url, sha256, toBase64url } from '../bytes.ts'
import { parseGeneral, type QuorumRoot, verifyQuorum } from '../jws.ts'
import type { UnixSeconds } from '../time.ts'
import { expectName } from './objectName.ts'
import { type Policy, PolicyFormat, policyName } from './policy.ts'
import { checkPolicy, type LoadingVerifier } from './policyCheck.ts'

/** `digest`: SHA-256 of the signed payload. */
export type LoadedPolicy = { readonly policy: Policy; readonly digest: string }

/**
 * Throws `policy.invalid` if no quorum signed it, its name is not its number, or it does not fit this
 * Verifier.
 */
export function readPolicy(
  bytes: Uint8Array,
  name: string,
  root: QuorumRoot,
  verifier: LoadingVerifier,
): LoadedPolicy {
  const signed = parseGeneral(bytes, 'policy.invalid')
  const { payload: policy } = verifyQuorum(PolicyFormat, signed, root, 'policy.invalid')
  expectName(name, policyName(policy.seq))
  checkPolicy(policy, verifier)
  return { policy, digest: toBase64url(sha256(fromBase64url(signed.payload))) }
}

/** After a policy has ended, no policy is in force. An older one never comes back. */
export function isInForce({ issuedAt, expiresAt }: Policy, now: UnixSeconds): boolean {
  return issuedAt <= now && now < expiresAt
}
