/**
 * How a program waits while a service is away: half a second first, then twice as long, at most ten seconds.
 */
import { codeOf, errorRow } from '#core/errors.ts'
import type { Clock } from '#ports/clock.ts'
import { errorFields, type Log } from './log.ts'

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 10_000

/** The waits between one try and the next, without end. */
export function* waits(): Generator<number, never> {
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) yield waitMs
}

/** Tries again while the error's disposition is `retry`, until `work` succeeds or `signal` is aborted. */
export async function untilAvailable<T>(
  work: () => Promise<T>,
  { clock, log }: { readonly clock: Clock; readonly log: Pick<Log, 'warn'> },
  signal: AbortSignal,
): Promise<T> {
  const pauses = waits()
  for (;;) {
    try {
      return await work()
    } catch (error) {
      // A lost lease may be leased again, but not by waiting here.
      if (signal.aborted || errorRow(codeOf(error)).disposition !== 'retry' || codeOf(error) === 'lease.lost')
        throw error
      const waitMs = pauses.next().value
      log.warn('waiting', { ...errorFields(error), waitMs })
      await clock.sleep(waitMs, signal)
    }
  }
}
