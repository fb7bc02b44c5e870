/** The pause that a server asks for with `Retry-After` (RFC 9110 §10.2.3). */
import type { Clock } from '#ports/clock.ts'

/** The network is not trusted: it cannot silence a client for longer. */
const LONGEST_SECONDS = 60

export type Pause = {
  /** The header of a response. Only seconds count: a date would need a clock that the server shares. */
  readonly ask: (retryAfter: string | undefined) => void
  /** Milliseconds until its end; 0 if no server asks for one. */
  readonly left: () => number
  /** Resolves when no server asks for a pause any more. Rejects as `clock.sleep`. */
  readonly over: (signal: AbortSignal | undefined) => Promise<void>
}

export function createPause(clock: Pick<Clock, 'monotonic' | 'sleep'>): Pause {
  let end = Number.NEGATIVE_INFINITY
  const left = () => Math.max(0, end - clock.monotonic())
  return {
    left,
    ask: (retryAfter) => {
      if (retryAfter === undefined || !/^\d{1,9}$/.test(retryAfter)) return
      const seconds = Math.min(Number(retryAfter), LONGEST_SECONDS)
      end = Math.max(end, clock.monotonic() + seconds * 1000)
    },
    over: async (signal) => {
      const milliseconds = left()
      if (milliseconds > 0) await clock.sleep(milliseconds, signal)
    },
  }
}
