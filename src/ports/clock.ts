import type { UnixSeconds } from '#core/time.ts'

/**
 * A program's view of time. In a worker the host controls it, so a worker uses it only to wait: what a worker
 * signs or checks carries the Verifier's time.
 */
export type Clock = {
  readonly now: () => UnixSeconds
  /** Milliseconds from an arbitrary start; never goes back, whatever happens to the system's time. */
  readonly monotonic: () => number
  /**
   * Resolves after `milliseconds`, by `monotonic`. If the signal is aborted before that, rejects at once with
   * the signal's reason itself, because callers act on its code. Sleeps are independent of each other.
   */
  readonly sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>
}
