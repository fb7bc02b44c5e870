import { setTimeout as delay } from 'node:timers/promises'
import { toUnixSeconds } from '#core/time.ts'
import type { Clock } from '#ports/clock.ts'

export const systemClock: Clock = {
  now: () => toUnixSeconds(Math.floor(Date.now() / 1000)),
  monotonic: () => performance.now(),
  sleep: async (milliseconds, signal) => {
    try {
      await delay(milliseconds, undefined, signal === undefined ? {} : { signal })
    } catch (error) {
      // The timer throws an AbortError with the reason as its cause. Callers act on the reason's code.
      signal?.throwIfAborted()
      throw error
    }
  },
}
