/**
 * SIGHUP asks a program to read its files again. It ends none: a program that starts reads them anyway, and
 * one without files that change ignores it.
 */
import type { Clock } from '#ports/clock.ts'

export type Reload = {
  /** Resolves after the time, or at the next SIGHUP. Rejects with the signal's reason. */
  readonly pause: (milliseconds: number, signal: AbortSignal) => Promise<void>
}

export function listenForReload(clock: Pick<Clock, 'sleep'>): Reload {
  // Invariant: true from a SIGHUP to the end of the pause that it ended.
  let asked = false
  let pausing: AbortController | undefined
  process.on('SIGHUP', () => {
    asked = true
    pausing?.abort()
  })
  return {
    pause: async (milliseconds, signal) => {
      pausing = new AbortController()
      if (asked) pausing.abort()
      try {
        await clock.sleep(milliseconds, AbortSignal.any([signal, pausing.signal]))
      } catch (error) {
        signal.throwIfAborted()
        if (!asked) throw error
      }
      asked = false
    },
  }
}
