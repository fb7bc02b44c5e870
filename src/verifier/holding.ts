/**
 * Whether a decision still holds. Between it and its key lie writes of Object Storage, which an attacker may
 * delay: by then the policy may have ended, or one signer may have revoked what was decided on.
 */
import { isDeepStrictEqual } from 'node:util'
import { CodedError } from '#core/errors.ts'
import { checkNonce } from '#core/release/nonce.ts'
import { toRfc3339, type UnixSeconds } from '#core/time.ts'
import type { AuthenticRequest } from './authenticate.ts'
import type { Boot } from './boot.ts'

type HoldingBoot = Pick<Boot, 'policyStore' | 'nonceKeys' | 'audience' | 'clock'>

/**
 * Throws `policy.changed`, `policy.none`, `policy.stale`, `nonce.*` or, from `expiry` on, `grant.expired`. A
 * change that does not touch this release ends it too: the worker asks again, and the new policy decides,
 * with the full explanation.
 */
export function expectHolding(
  { request, inForce: decidedBy }: AuthenticRequest,
  expiry: UnixSeconds,
  { policyStore, nonceKeys, audience, clock }: HoldingBoot,
): void {
  const { loaded, revocation, consent } = policyStore.inForce()
  if (loaded.digest !== decidedBy.loaded.digest)
    throw new CodedError(
      'policy.changed',
      `policy ${decidedBy.loaded.policy.seq} decided, policy ${loaded.policy.seq} is in force`,
    )
  if (revocation !== decidedBy.revocation && !isDeepStrictEqual(revocation, decidedBy.revocation))
    throw new CodedError('policy.changed', `something was revoked or restored since the decision`)
  for (const [dataset, { digest }] of decidedBy.consent)
    if (consent.get(dataset)?.digest !== digest)
      throw new CodedError('policy.changed', `consent lists of ${dataset} changed since the decision`)
  const now = clock.now()
  checkNonce(request.nonce, nonceKeys.checking(), audience, now)
  if (now >= expiry)
    throw new CodedError('grant.expired', `the grant would have ended at ${toRfc3339(expiry)}`)
}
