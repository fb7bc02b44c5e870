import { setTimeout as delay } from 'node:timers/promises'
import { toUnixSeconds } from '#core/time.ts'
import type { Clock } from '#ports/clock.ts'

export const systemClock: Clock = {
  now: () => toUnixSeconds(Math.floor(Date.now() / 1000)),
  monotonic: () => performance.now(),
  sleep: (milliseconds, signal) => delay(milliseconds, undefined, signal === undefined ? {} : { signal }),
}
