/** A clock that a test moves. */
import { addSeconds, toUnixSeconds } from '#core/time.ts'
import type { Clock } from '#ports/clock.ts'
import { NOW } from '../core/release/releaseWorld.ts'

export type SteerableClock = Clock & { readonly pass: (seconds: number) => void }

export function steerableClock(): SteerableClock {
  let passed = 0
  return {
    now: () => addSeconds(toUnixSeconds(NOW), Math.floor(passed)),
    monotonic: () => passed * 1000,
    sleep: async (milliseconds, signal) => {
      signal?.throwIfAborted()
      passed += milliseconds / 1000
    },
    pass: (seconds) => {
      passed += seconds
    },
  }
}
