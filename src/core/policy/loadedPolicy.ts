/** A policy that a quorum has signed and that fits this Verifier. */
import { CodedError } from '../errors.ts'
import type { UnixSeconds } from '../time.ts'
import type { GovernanceDocument } from './document.ts'
import type { Policy } from './policy.ts'
import { checkPolicy, type LoadingVerifier } from './policyCheck.ts'

/** `digest`: SHA-256 of the signed payload. */
export type LoadedPolicy = { readonly policy: Policy; readonly digest: string }

/** Throws `policy.invalid` if it does not match its schema, or does not fit this Verifier. */
export function loadPolicy(
  { name, content, digest }: GovernanceDocument<Policy>,
  verifier: LoadingVerifier,
): LoadedPolicy {
  if (content === undefined) throw new CodedError('policy.invalid', `${name} does not match the schema`)
  checkPolicy(content, verifier)
  return { policy: content, digest }
}

/** After a policy has ended, no policy is in force. An older one never comes back. */
export function isInForce({ issuedAt, expiresAt }: Policy, now: UnixSeconds): boolean {
  return issuedAt <= now && now < expiresAt
}
