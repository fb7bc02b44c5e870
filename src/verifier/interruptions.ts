/**
 * Tells which releases another boot of a Verifier left without an end because it died: no one else can close
 * its log, whose key is gone.
 *
 * A boot ends each decided release, or writes its log no more, within 1.5 deadlines (openReleases.ts). A log
 * that has the same size at two looks at least two deadlines apart therefore ends there, if a release is
 * unended. Only this process's monotonic clock counts, which needs no trust in anyone's time. A log without
 * an unended release may belong to a living boot, and is looked at again.
 *
 * Crash argument. The entries are durable before the boot is settled. A crash in between, or another replica
 * at the same time, tells the same again, which is no contradiction.
 */
import type { EvidenceLog } from '#adapters/evidence/log.ts'
import type { LogTail, LogTails } from '#adapters/evidence/logTail.ts'
import { errorFields, type Log } from '#adapters/system/log.ts'
import { codeOf, type ErrorCode } from '#core/errors.ts'
import type { Clock } from '#ports/clock.ts'
import type { AnnouncedBoot, Announcements } from './announcements.ts'

const DEADLINES = 2
/** Entries per commit, so that requests find room in the log. */
const TOLD_AT_ONCE = 256
const DISORDER: ReadonlySet<ErrorCode> = new Set([
  'encoding.invalid',
  'evidence.malformed',
  'evidence.inconsistent',
] as const)

type Look = { readonly size: number; readonly at: number; readonly judged: boolean }

export type Interruptions = {
  /** Looks once at each unsettled boot. Throws the first error after the last look. */
  readonly look: (signal: AbortSignal) => Promise<void>
}

export function createInterruptions({
  announcements,
  tails,
  evidence,
  clock,
  log,
}: {
  readonly announcements: Pick<Announcements, 'unsettled' | 'settle'>
  readonly tails: LogTails
  readonly evidence: Pick<EvidenceLog, 'appendAll' | 'flush'>
  readonly clock: Pick<Clock, 'monotonic'>
  readonly log: Log
}): Interruptions {
  let looks: ReadonlyMap<string, Look> = new Map()

  const lookAt = async (announced: AnnouncedBoot, before: Look | undefined, signal: AbortSignal) => {
    const { boot, requestSeconds, mayLive } = announced
    const size = await tails.sizeOf(boot, before?.size ?? 0, signal)
    if (before === undefined || size > before.size) return { size, at: clock.monotonic(), judged: false }
    const stillSeconds = (clock.monotonic() - before.at) / 1000
    if (stillSeconds < requestSeconds * DEADLINES || (before.judged && mayLive)) return before
    const over = await tellOf(boot, size, signal)
    if (over || !mayLive) await announcements.settle(boot, signal)
    return { ...before, judged: true }
  }

  /** True if the log has ended: it is closed, or the releases that it left unended are told. */
  const tellOf = async (boot: string, size: number, signal: AbortSignal): Promise<boolean> => {
    const tail = await readable(() => tails.read(boot, size, signal), boot)
    if (tail === undefined || tail.closed || tail.unended.length === 0) return tail?.closed ?? false
    const { checkpointDigest, unended } = tail
    const verifier = { boot, size, checkpointDigest }
    for (let told = 0; told < unended.length; told += TOLD_AT_ONCE) {
      const next = unended.slice(told, told + TOLD_AT_ONCE)
      evidence.appendAll(next.map((releaseId) => ({ event: 'release.interrupted', releaseId, verifier })))
      await evidence.flush(signal)
    }
    log.warn('another Verifier died in a request', { boot, releases: unended.length })
    return true
  }

  /** A log that is not in order is the auditor's affair. It says nothing here. */
  const readable = async (read: () => Promise<LogTail>, boot: string): Promise<LogTail | undefined> => {
    try {
      return await read()
    } catch (error) {
      if (!DISORDER.has(codeOf(error))) throw error
      log.error('the log of another Verifier cannot be read', { boot, ...errorFields(error) })
      return undefined
    }
  }

  return {
    look: async (signal) => {
      const unsettled = await announcements.unsettled(signal)
      const next = new Map<string, Look>()
      const errors: unknown[] = []
      for (const announced of unsettled) {
        const { boot } = announced
        const before = looks.get(boot)
        try {
          next.set(boot, await lookAt(announced, before, signal))
        } catch (error) {
          signal.throwIfAborted()
          if (before !== undefined) next.set(boot, before)
          errors.push(error)
        }
      }
      looks = next
      if (errors.length > 0) throw errors[0]
    },
  }
}
