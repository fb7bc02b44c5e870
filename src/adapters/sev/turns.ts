/** Requests to the firmware: one at a time, slower than any host's throttle, until the key is lost. */
import PQueue from 'p-queue'
import { abandonable } from '#adapters/system/abandonable.ts'
import type { Clock } from '#ports/clock.ts'
import { SevFault } from './fault.ts'

/**
 * A host was observed to allow 10 requests in 10.2 s. The driver retries a throttled request for a minute and
 * then wipes the guest's key. Two at once and then one in 1.3 s make at most 9 in any 10.2 s.
 */
const PACE = { burst: 2, everyMs: 1300 } as const

export type Turns = {
  /**
   * Runs `work` in its turn. An abort rejects at once with the signal's reason; a request that was sent
   * cannot be called back, and keeps its turn. After a `sev.lost` nothing is sent: every caller receives that
   * fault.
   */
  readonly take: <T>(work: () => Promise<T>, signal: AbortSignal | undefined) => Promise<T>
  readonly lost: () => SevFault | undefined
}

export function createTurns(clock: Clock): Turns {
  const queue = new PQueue({ concurrency: 1 })
  const pace = createPace(clock)
  // Written only by `run`, once: by the first answer that is `sev.lost`.
  let lost: SevFault | undefined

  const run = async <T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
    if (lost === undefined) await pace(signal)
    if (lost !== undefined) throw lost
    try {
      return await work()
    } catch (error) {
      if (error instanceof SevFault && error.code === 'sev.lost') lost = error
      throw error
    }
  }
  return {
    take: (work, signal) =>
      abandonable(
        queue.add(() => run(work, signal)),
        signal,
      ),
    lost: () => lost,
  }
}

/** A token bucket, represented by the time at which it will be full again. */
function createPace({ monotonic, sleep }: Clock): (signal: AbortSignal | undefined) => Promise<void> {
  const { burst, everyMs } = PACE
  let fullAt = 0
  return async (signal) => {
    signal?.throwIfAborted()
    const now = monotonic()
    fullAt = Math.max(fullAt, now) + everyMs
    const waitMs = fullAt - burst * everyMs - now
    if (waitMs > 0) await sleep(waitMs, signal)
  }
}
