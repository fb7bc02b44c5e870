/**
 * The settlement of one job: carries out what its outcome means.
 *
 * Crash argument. What ends the job (result, dead letter, message put back) is durable before the end of its
 * attempt. If we stop between the two, the attempt has no end: the next worker runs the job alone. It
 * finds the result, or writes the dead letter once more.
 */
import { errorFields } from '#adapters/system/log.ts'
import { untilAvailable } from '#adapters/system/outage.ts'
import { codeOf, type ErrorCode } from '#core/errors.ts'
import type { AttemptEnd } from '#core/job/attempt.ts'
import { type OpenAttempts, recordDone } from './attempts.ts'
import type { Boot } from './boot.ts'
import { type Move, moveFor, type WorkOutcome } from './ending.ts'
import { type LeasedJob, putBack, setAside } from './lease.ts'
import type { JobOutcome } from './metrics.ts'

export type SettlementContext = {
  readonly boot: Boot
  readonly attempts: OpenAttempts
  /** Aborted when the lease is lost. */
  readonly signal: AbortSignal
}

/**
 * Returns whether the job has ended. Throws the signal's reason, and the error of an outcome that stops the
 * worker.
 */
export async function settle(
  leased: LeasedJob,
  outcome: WorkOutcome,
  started: number,
  { boot, attempts, signal }: SettlementContext,
): Promise<'ended' | 'waiting'> {
  const { jobId } = leased.job
  const move = moveFor(outcome)
  const untilDone = (work: () => Promise<unknown>) => untilAvailable(work, boot, signal)
  const endAttempt = (kind: AttemptEnd, code: ErrorCode | null) =>
    untilDone(() => attempts.end(leased, { kind, code }, signal))

  recordFailure(leased, outcome, move, boot)
  // Evidence of a failure is written even if the lease is lost; everything below belongs to the lease.
  if (move.kind !== 'finish') signal.throwIfAborted()
  const why = outcome.kind === 'failed' ? errorFields(outcome.error) : {}
  switch (move.kind) {
    case 'wait':
      boot.log.warn('waiting', { jobId, ...why })
      return 'waiting'
    case 'stop':
      throw move.error
    case 'finish': {
      const { as, resultId } = move
      await untilDone(() => recordDone(leased.job, resultId, boot, signal))
      await endAttempt('done', null)
      reportEnd(leased, { outcome: as, code: null, detail: resultId }, started, boot)
      return 'ended'
    }
    case 'set-aside': {
      const { as, code, attempts: tried, denialId, headerDigests } = move
      if (as === 'failed') boot.log.warn('failed', { jobId, ...why })
      await untilDone(() => setAside({ ...leased, code, attempts: tried, headerDigests }, boot, signal))
      await endAttempt('failed', code)
      reportEnd(leased, { outcome: as, code, detail: denialId }, started, boot)
      return 'ended'
    }
    case 'put-back': {
      const { as, code, seconds } = move
      boot.log.warn('put back', { jobId, code, seconds, ...why })
      await untilDone(() => putBack(leased, code, seconds, boot, signal))
      await endAttempt(as, code)
      reportEnd(leased, { outcome: 'returned', code, detail: null }, started, boot)
      return 'ended'
    }
  }
}

/** Counts and logs the end of a job. `started` is of the monotonic clock. */
export function reportEnd(
  { job: { jobId } }: LeasedJob,
  end: { readonly outcome: JobOutcome; readonly code: ErrorCode | null; readonly detail: string | null },
  started: number,
  { metrics, clock, log }: Pick<Boot, 'metrics' | 'clock' | 'log'>,
): void {
  const elapsedMs = Math.round(clock.monotonic() - started)
  metrics.jobEnded(end.outcome, end.code ?? '', elapsedMs / 1000)
  log.info('ended', { jobId, ...end, elapsedMs })
}

/** A failure after a release is always in the log; before a release, only one that sets the job aside. */
function recordFailure(
  { job: { jobId, traceparent } }: LeasedJob,
  outcome: WorkOutcome,
  move: Move,
  { evidence }: Pick<Boot, 'evidence'>,
): void {
  if (outcome.kind !== 'failed') return
  const { releaseId, error } = outcome
  if (releaseId !== null || move.kind === 'set-aside')
    evidence.append({ event: 'job.failed', jobId, traceparent, releaseId, code: codeOf(error) })
}
