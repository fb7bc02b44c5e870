/** The tasks that a Verifier repeats whether or not requests come. A task never overlaps with itself. */
import { errorFields, type Log } from '#adapters/system/log.ts'
import { CodedError } from '#core/errors.ts'
import type { Clock } from '#ports/clock.ts'

export type PeriodicTask = {
  readonly name: string
  readonly seconds: number
  /** Runs once before the first wait. */
  readonly atOnce?: boolean
  /** May throw. The log says when it begins to fail and when it works again. The next run follows anyway. */
  readonly run: (signal: AbortSignal) => Promise<void>
}

/** Resolves soon after `signal` is aborted. `failed` gets every failure. */
export async function runPeriodically(
  tasks: readonly PeriodicTask[],
  options: {
    readonly clock: Pick<Clock, 'sleep'>
    readonly log: Log
    readonly signal: AbortSignal
    readonly failed: (error: unknown) => void
  },
): Promise<void> {
  const { clock, log, signal, failed } = options
  await Promise.all(
    tasks.map(async ({ name, seconds, atOnce, run }) => {
      let failing = false
      let waits = atOnce !== true
      while (!signal.aborted) {
        try {
          if (waits) await clock.sleep(seconds * 1000, signal)
          waits = true
          await run(signal)
          if (failing) log.info('task works again', { task: name })
          failing = false
        } catch (error) {
          if (signal.aborted) return
          if (!failing) log.warn('task fails', { task: name, ...errorFields(error) })
          failing = true
          failed(error)
        }
      }
    }),
  )
}

/** Throws `service.unavailable` if `work`, which ends with its signal's reason, takes longer. */
export async function withinLimit<T>(
  milliseconds: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController()
  const late = () =>
    limit.abort(new CodedError('service.unavailable', `no answer within ${milliseconds / 1000} seconds`))
  const timer = setTimeout(late, milliseconds)
  try {
    return await work(AbortSignal.any([...(signal === undefined ? [] : [signal]), limit.signal]))
  } finally {
    clearTimeout(timer)
  }
}
