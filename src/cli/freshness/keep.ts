/** Keeps the statement: once, or again and again until a signal ends it. */
import { type FreshnessSigner, type Stated, statesTheSame } from '#adapters/governance/freshness.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { CodedError, errorRow } from '#core/errors.ts'

/** Between looks for a change. */
const LOOK_SECONDS = 5

export async function keepFresh(
  signer: FreshnessSigner,
  options: {
    /** Seconds; undefined for one statement. */
    readonly every: number | undefined
    readonly told: (stated: Stated) => void
    readonly warn: (text: string) => void
    readonly signal: AbortSignal
  },
): Promise<void> {
  const { every, told, warn, signal } = options
  if (every === undefined) {
    const stated = await signer.state(() => true, signal)
    if (stated === undefined)
      throw new CodedError('service.conflict', 'this minute has its statement; try again in the next one')
    told(stated)
    return
  }
  let worked = false
  while (!signal.aborted) {
    try {
      const stated = await signer.state(
        (last, next) => last === undefined || next.iat >= last.iat + every || !statesTheSame(last, next),
        signal,
      )
      worked = true
      if (stated !== undefined) told(stated)
    } catch (error) {
      if (signal.aborted) return
      // A statement that is late stops every release. So what may pass is said and tried again, and what has
      // worked may work again: OCI also says 404 while it does not know who asks.
      const passes = error instanceof CodedError && (worked || errorRow(error.code).disposition === 'retry')
      if (!passes) throw error
      warn(`${error.message} (${error.code})`)
    }
    await systemClock.sleep(LOOK_SECONDS * 1000, signal).catch(() => undefined)
  }
}
