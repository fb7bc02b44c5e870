import type { UnixSeconds } from '#core/time.ts'

/** Time as a program sees it. In a worker it is the host's, and serves for waiting alone; evidence uses the Verifier's. */
export type Clock = {
  readonly now: () => UnixSeconds
  /** Milliseconds that never go back, from an arbitrary start. */
  readonly monotonic: () => number
  /** Resolves after `milliseconds`, or rejects with the signal's reason as soon as it is aborted. */
  readonly sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>
}
