/**
 * How a program waits while a service is away, or does not let it in yet: half a second first, then twice as
 * long, up to a limit.
 */
import { codeOf, type ErrorCode, errorRow } from '#core/errors.ts'
import type { Clock } from '#ports/clock.ts'
import { errorFields, type Log } from './log.ts'

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 10_000
/** A permission is granted by a person, and spreads within minutes. */
const LONGEST_PERMISSION_WAIT_MS = 30_000

type Surroundings = { readonly clock: Pick<Clock, 'sleep'>; readonly log: Pick<Log, 'warn'> }

/** The waits between one try and the next, without end. */
export function* waits(longestMs = LONGEST_WAIT_MS): Generator<number, never> {
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, longestMs)) yield waitMs
}

/** Tries again while the error's disposition is `retry`, until `work` succeeds or `signal` is aborted. */
export function untilAvailable<T>(
  work: () => Promise<T>,
  { clock, log }: Surroundings,
  signal: AbortSignal,
): Promise<T> {
  const waiting = (error: unknown, waitMs: number) => log.warn('waiting', { ...errorFields(error), waitMs })
  return repeat(work, longestWait, { clock, waiting }, signal)
}

/**
 * The same for a place that the program cannot do without: a bucket, key or secret of its own configuration.
 * OCI also answers 401, 403 and 404 for a permission that has not spread and for a resource that someone will
 * create, so these wait too. `waits` hears the code for which the program waits, and undefined at the end.
 */
export async function untilServed<T>(
  place: string,
  work: () => Promise<T>,
  options: Surroundings & { readonly waits: (place: string, code: ErrorCode | undefined) => void },
  signal: AbortSignal,
): Promise<T> {
  const waiting = (error: unknown, waitMs: number) => {
    options.log.warn('waiting', { for: place, ...errorFields(error), waitMs })
    options.waits(place, codeOf(error))
  }
  const served = await repeat(work, longestWaitForOwn, { clock: options.clock, waiting }, signal)
  options.waits(place, undefined)
  return served
}

/** Undefined if waiting does not help. */
function longestWait(code: ErrorCode): number | undefined {
  // A lost lease may be leased again, but not by waiting here.
  return errorRow(code).disposition === 'retry' && code !== 'lease.lost' ? LONGEST_WAIT_MS : undefined
}

function longestWaitForOwn(code: ErrorCode): number | undefined {
  return code === 'service.denied' || code === 'service.missing'
    ? LONGEST_PERMISSION_WAIT_MS
    : longestWait(code)
}

async function repeat<T>(
  work: () => Promise<T>,
  longest: (code: ErrorCode) => number | undefined,
  around: Pick<Surroundings, 'clock'> & { readonly waiting: (error: unknown, waitMs: number) => void },
  signal: AbortSignal,
): Promise<T> {
  const pauses = waits(LONGEST_PERMISSION_WAIT_MS)
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const longestMs = longest(codeOf(error))
      if (longestMs === undefined) throw error
      signal.throwIfAborted()
      const waitMs = Math.min(pauses.next().value, longestMs)
      around.waiting(error, waitMs)
      await around.clock.sleep(waitMs, signal)
    }
  }
}
