/**
 * Authenticates one release request, in the order of docs/formats/release.md §5. Every step is pure: it
 * changes no state.
 */
import { sameBytes, sha256, toBase64url, toHex } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { tokenOf } from '#core/release/assertion.ts'
import { bindRequest, type ProvenRequest, proveRequest } from '#core/release/authentic.ts'
import { readRequest } from '#core/release/binding.ts'
import { checkNonce } from '#core/release/nonce.ts'
import type { UnixSeconds } from '#core/time.ts'
import type { Boot } from './boot.ts'
import type { HeldCrl } from './endorsements.ts'
import type { InForce } from './policyStore.ts'

/**
 * An authentic request: every part is signed by its claimed author and bound to the others. Authorisation
 * comes later.
 */
export type AuthenticRequest = ProvenRequest & {
  /** The policy that lists the client's keys. The decision uses the same one. */
  readonly inForce: InForce
  /** What every log entry about this request says of its evidence. */
  readonly attestation: {
    readonly runtimeDataDigest: string
    readonly reportDigest: string
    readonly measurement: string
  }
  /** Which assertion it was. */
  readonly token: { readonly tokenDigest: string; readonly jti: string }
  /** The time of the decision. */
  readonly time: UnixSeconds
  /** The revocation list of the root that was held. */
  readonly crl: HeldCrl | undefined
}

/** Throws the code of the first step that fails. `admittedBy` is the nonce that admitted the body, if one had to. */
export function authenticate(
  body: Uint8Array,
  boot: Pick<Boot, 'audience' | 'nonceKeys' | 'policyStore' | 'roots' | 'revocationLists'>,
  now: UnixSeconds,
  admittedBy?: Uint8Array,
): AuthenticRequest {
  const { audience, nonceKeys, policyStore, roots, revocationLists } = boot
  const request = readRequest(body)
  checkNonce(request.nonce, nonceKeys.checking(), audience, now)
  if (admittedBy !== undefined && !sameBytes(admittedBy, request.nonce))
    throw new CodedError(
      'nonce.invalid',
      'the nonce of the runtime data is not the one that admitted the body',
    )
  const bound = bindRequest(request, audience)
  const inForce = policyStore.inForce()
  const { clients } = inForce.loaded.policy
  const crls = revocationLists.held()
  const proven = proveRequest(bound, { clients, audience, roots, crls }, now)
  const attestation = {
    runtimeDataDigest: toBase64url(sha256(request.runtimeDataBytes)),
    reportDigest: toBase64url(sha256(request.report)),
    measurement: toHex(bound.report.measurement),
  }
  const crl = crls.find(({ digest }) => digest === proven.verified.crl?.digest)
  return { ...proven, inForce, attestation, token: tokenOf(request.clientAssertion), time: now, crl }
}
