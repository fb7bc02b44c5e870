/** A clock that only sleeping moves. */
import { toUnixSeconds } from '#core/time.ts'
import type { Clock } from '#ports/clock.ts'

export function virtualClock(): Clock & { readonly slept: readonly number[] } {
  let at = 0
  const slept: number[] = []
  return {
    slept,
    now: () => toUnixSeconds(Math.floor(at / 1000)),
    monotonic: () => at,
    sleep: async (milliseconds, signal) => {
      signal?.throwIfAborted()
      slept.push(milliseconds)
      at += milliseconds
    },
  }
}
