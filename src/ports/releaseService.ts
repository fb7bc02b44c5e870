import type { Challenge } from '#core/release/challenge.ts'
import type { ReleaseRequest, ReleaseResponse } from '#core/release/request.ts'

/**
 * The Verifier as a worker reaches it. Answers are decoded but not believed: `core/release` verifies them.
 * `verifier.unavailable` where it cannot be reached or says so itself; a refusal of the whole request throws its code.
 */
export type ReleaseService = {
  readonly challenge: (signal?: AbortSignal) => Promise<Challenge>
  readonly release: (request: ReleaseRequest, signal?: AbortSignal) => Promise<ReleaseResponse>
}
