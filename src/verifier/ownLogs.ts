/**
 * The clock of this Verifier beside the logs of its own side. OCI's `Date` is not signed, so whoever answers for
 * OCI could lead the clock of a machine back; then ended policies, permissions and statements would count again.
 * What other boots have signed since shows it, if storage shows their logs.
 */
import type { LogTails } from '#adapters/evidence/logTail.ts'
import { errorFields, type Log } from '#adapters/system/log.ts'
import { MAX_SKEW_SECONDS } from '#adapters/system/trueClock.ts'
import { CodedError, codeOf, type ErrorCode } from '#core/errors.ts'
import type { Clock } from '#ports/clock.ts'
import type { Announcements } from './announcements.ts'

/** A log that is absent or not in order is the auditor's affair. It says nothing here. */
const DISORDER: ReadonlySet<ErrorCode> = new Set([
  'encoding.invalid',
  'evidence.malformed',
  'evidence.inconsistent',
  'service.missing',
] as const)

/**
 * Reads the last entry of each log that was announced on the last day with any. Throws `clock.skewed` if one is
 * more than a minute later than this clock, and the codes of the store.
 */
export async function expectAfterOwnLogs(
  {
    announcements,
    tails,
    clock,
    log,
  }: {
    readonly announcements: Pick<Announcements, 'newest'>
    readonly tails: Pick<LogTails, 'sizeOf' | 'lastTime'>
    readonly clock: Pick<Clock, 'now'>
    readonly log: Pick<Log, 'error'>
  },
  signal?: AbortSignal,
): Promise<void> {
  for (const boot of await announcements.newest(signal)) {
    const time = await lastTimeOf(boot)
    const behind = time - clock.now()
    if (behind > MAX_SKEW_SECONDS)
      throw new CodedError(
        'clock.skewed',
        `this clock is ${behind} seconds behind the log of Verifier ${boot}, at most ${MAX_SKEW_SECONDS} are allowed`,
      )
  }

  async function lastTimeOf(boot: string): Promise<number> {
    try {
      return await tails.lastTime(boot, await tails.sizeOf(boot, 0, signal), signal)
    } catch (error) {
      if (!DISORDER.has(codeOf(error))) throw error
      log.error('the log of another Verifier cannot be read', { boot, ...errorFields(error) })
      return 0
    }
  }
}
