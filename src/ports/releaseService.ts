import type { CheckpointSubmission, WitnessAnswer } from '#core/evidence/witness/submission.ts'
import type { Challenge } from '#core/release/nonce.ts'
import type { RefusedResponse, ReleaseRequest, ReleaseResponse } from '#core/release/request.ts'

/**
 * The Verifier as a worker reaches it.
 *
 * - Answers are decoded, within limits of size, and not believed: `core/release` verifies them.
 * - A call is sent once. After a lost answer the Verifier may have decided and spent the nonce: start again
 *   with a new challenge.
 * - `nonce` is the challenge's, which the request's runtime data repeats: a Verifier behind a gateway reads no
 *   body without it.
 * - A signed refusal, of one job or of the whole request, is an answer: only its signature makes it one.
 * - A checkpoint may be submitted again: what was cosigned and committed stays as it is.
 * - `refusal.unsigned`: the whole request was refused without a signature, for a reason that waiting may not
 *   mend. One that waiting mends throws its own code.
 * - `verifier.unavailable`: no connection, no answer in time, a fault inside the Verifier, or no answer of
 *   its own.
 * - `verifier.untrusted`: the answer is not of the documented form, or too long.
 * - An abort rejects with the signal's reason; the Verifier may have received the call.
 */
export type ReleaseService = {
  readonly challenge: (signal?: AbortSignal) => Promise<Challenge>
  readonly release: (
    request: ReleaseRequest,
    nonce: Challenge['nonce'],
    signal?: AbortSignal,
  ) => Promise<ReleaseResponse | RefusedResponse>
  /** Submits a checkpoint of the boot's log. It asks for the nonce that may be needed. */
  readonly witness: (
    boot: string,
    submission: CheckpointSubmission,
    signal?: AbortSignal,
  ) => Promise<WitnessAnswer>
}

/**
 * The Verifier at several addresses, any of which checks a nonce of any other. It is one `ReleaseService`, with
 * these differences:
 *
 * - A challenge that one address does not give is asked of the next one.
 * - A checkpoint that one address does not answer is submitted to the next one.
 * - A release is sent to a second address only if the first received no byte of it.
 */
export type ReplicatedService = ReleaseService & {
  readonly addresses: number
  /** How often an address failed, or gave an answer that was judged unproven. */
  readonly failures: () => number
  /** An address is left that does not rest. */
  readonly another: () => boolean
  /**
   * The caller's verdict on a challenge or answer of this service: the error that makes it unproven, or none.
   * Other objects are ignored.
   */
  readonly judge: (
    said: Challenge | ReleaseResponse | RefusedResponse | WitnessAnswer,
    error?: unknown,
  ) => void
}
