/**
 * A worker that is refused as a whole: named in log and metric, not ready, holding no job, asking again with
 * long waits. The cause may end at any time, and no one need touch the machine.
 */
import { errorFields, type Log } from '#adapters/system/log.ts'
import { codeOf } from '#core/errors.ts'
import { RequestRefused } from '#core/release/refusal.ts'
import type { Clock } from '#ports/clock.ts'
import type { WorkerMetrics } from './metrics.ts'
import { placeRefusal } from './places.ts'

const FIRST_WAIT_MS = 5000
const LONGEST_WAIT_MS = 60_000

export type Parking = {
  /** One wait, longer each time. Returns early if the signal is aborted. */
  readonly wait: (why: unknown, signal: AbortSignal) => Promise<void>
  /** The worker is let in again: it is no longer counted as refused. */
  readonly leave: () => void
  /** The worker works: the next wait is the first. */
  readonly forget: () => void
}

type ParkingBoot = {
  readonly clock: Pick<Clock, 'sleep'>
  readonly metrics: Pick<WorkerMetrics, 'parked' | 'accepted'>
  readonly log: Pick<Log, 'error'>
}

export function createParking({ clock, metrics, log }: ParkingBoot): Parking {
  let waitMs = FIRST_WAIT_MS
  return {
    wait: async (why, signal) => {
      const denial = why instanceof RequestRefused ? { denialId: why.denialId } : {}
      const place = placeRefusal(why)?.place
      metrics.parked(codeOf(why), place ?? '')
      log.error('refused', { ...errorFields(why), ...denial, ...(place && { place }), waitMs })
      await clock.sleep(waitMs, signal).catch(() => {})
      waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)
    },
    leave: () => metrics.accepted(),
    forget: () => {
      waitMs = FIRST_WAIT_MS
    },
  }
}

/** Parks while a place refuses this worker. Throws the signal's reason, and every other error. */
export async function untilAdmitted<T>(
  work: () => Promise<T>,
  boot: ParkingBoot,
  signal: AbortSignal,
): Promise<T> {
  const parking = createParking(boot)
  for (;;) {
    try {
      const done = await work()
      parking.leave()
      return done
    } catch (error) {
      const refusal = placeRefusal(error)
      if (refusal === undefined) throw error
      await parking.wait(refusal, signal)
      signal.throwIfAborted()
    }
  }
}
