/** What a Verifier does whether or not anyone asks: each chore again and again until the end, never twice at one time. */
import { errorFields, type Log } from '#adapters/system/log.ts'
import type { Clock } from '#ports/clock.ts'

export type Chore = {
  readonly name: string
  readonly seconds: number
  /** Begins with doing, not with waiting. */
  readonly atOnce?: boolean
  /** What it throws is logged when it begins to fail, and again when it ends; the next time comes all the same. */
  readonly run: (signal: AbortSignal) => Promise<void>
}

/** Resolves soon after `signal` is aborted. `failed` hears of every failure. */
export async function doChores(
  chores: readonly Chore[],
  {
    clock,
    log,
    signal,
    failed,
  }: {
    readonly clock: Pick<Clock, 'sleep'>
    readonly log: Log
    readonly signal: AbortSignal
    readonly failed: (error: unknown) => void
  },
): Promise<void> {
  await Promise.all(
    chores.map(async ({ name, seconds, atOnce, run }) => {
      let failing = false
      let waits = atOnce !== true
      while (!signal.aborted) {
        try {
          if (waits) await clock.sleep(seconds * 1000, signal)
          waits = true
          await run(signal)
          if (failing) log.info('chore works again', { chore: name })
          failing = false
        } catch (error) {
          if (signal.aborted) return
          if (!failing) log.warn('chore fails', { chore: name, ...errorFields(error) })
          failing = true
          failed(error)
        }
      }
    }),
  )
}
