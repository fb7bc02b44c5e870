/** The refusal of a whole request that the Verifier decided, recorded and signed. */
import { type Denial, RequestRefused, signRefusal } from '#core/release/refusal.ts'
import type { RefusedResponse } from '#core/release/request.ts'
import type { AuthenticRequest } from './authenticate.ts'
import type { CertifiedGrantKey } from './grantKeys.ts'

export class DecidedRefusal extends RequestRefused {
  readonly response: RefusedResponse

  constructor(denial: Denial, response: RefusedResponse) {
    super(denial)
    this.response = response
  }
}

export async function refusedAs(
  denial: Denial,
  { request: { nonce }, inForce }: AuthenticRequest,
  { certificate, signer }: CertifiedGrantKey,
): Promise<DecidedRefusal> {
  const refusal = await signRefusal(denial, { nonce, job: null }, signer)
  const { keys, freshness } = inForce
  return new DecidedRefusal(denial, { verifierKeys: keys.signed, grantKey: certificate, freshness, refusal })
}
