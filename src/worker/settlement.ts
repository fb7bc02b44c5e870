/**
 * The settlement of one job: carries out what its outcome means. The table of the job's life (core/job/life.ts)
 * says what each move writes, in which order, and which moves a job with a result never makes.
 *
 * Crash argument. What ends the job (result, dead letter, message put back) is durable before the end of its
 * attempt. If we stop between the two, the attempt has no end: the next worker runs the job alone, unless it
 * finds the result, or the mark that the job was set aside. Only if we stop between a dead letter and its
 * mark, the letter is written once more.
 */
import { errorFields } from '#adapters/system/log.ts'
import { untilAvailable } from '#adapters/system/outage.ts'
import { codeOf, type ErrorCode, isErrorCode } from '#core/errors.ts'
import type { AttemptEnd } from '#core/job/attempt.ts'
import { LIFE, type MoveName, mayMake, rowOf, type State, type WriteOf } from '#core/job/life.ts'
import { addSeconds } from '#core/time.ts'
import type { OpenAttempts } from './attempts.ts'
import type { Boot } from './boot.ts'
import { type Move, moveFor, stateAfter, type WorkOutcome } from './ending.ts'
import { type LeasedJob, publishAgain, publishLetter } from './lease.ts'
import type { JobOutcome } from './metrics.ts'

type SettlementBoot = Pick<
  Boot,
  'finished' | 'jobs' | 'deadLetters' | 'evidence' | 'time' | 'clock' | 'metrics' | 'log'
>

export type SettlementContext = {
  readonly boot: SettlementBoot
  readonly attempts: OpenAttempts
  /** The batch has lasted long enough: no job waits in it any more. */
  readonly isLate: boolean
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
  context: SettlementContext,
): Promise<'ended' | 'waiting'> {
  const { boot, isLate, signal } = context
  let state: State = stateAfter(outcome)
  if (outcome.kind === 'failed' && state === 'keyed') state = tellFailure('fail', leased, outcome, boot)
  let move = moveFor(outcome, isLate)
  // Evidence of a failure with a key is written even if the lease is lost; a result too. The rest belongs to
  // the lease.
  if (move.kind !== 'finish') signal.throwIfAborted()
  if (rowOf(move.kind).unlessResult === true) {
    const find = () => boot.finished.find(leased.job.jobId, signal)
    const resultId = await untilAvailable(find, boot, signal)
    if (resultId !== undefined) {
      move = { kind: 'finish', as: 'superseded', resultId }
      state = LIFE.find.to
    }
  }
  if (outcome.kind === 'failed' && !mayMake(move.kind, state))
    state = tellFailure('give-up', leased, outcome, boot)
  const why = outcome.kind === 'failed' ? errorFields(outcome.error) : {}
  return await carryOut(leased, move, why, started, context)
}

async function carryOut(
  leased: LeasedJob,
  move: Move,
  why: object,
  started: number,
  { boot, attempts, signal }: SettlementContext,
): Promise<'ended' | 'waiting'> {
  const { jobId, traceparent } = leased.job
  const { evidence, time, log } = boot
  const endAttempt = (kind: AttemptEnd, code: ErrorCode | null) => () =>
    attempts.end(leased, { kind, code }, signal)
  /** Each write is durable before the next one begins. */
  const write = async <Name extends MoveName>(name: Name, writers: Writers<Name>) => {
    const writes: readonly WriteOf<Name>[] = LIFE[name].writes
    for (const each of writes) await untilAvailable(async () => writers[each](), boot, signal)
  }
  switch (move.kind) {
    case 'ask-again':
      log.warn('waiting', { jobId, traceparent, ...why })
      return 'waiting'
    case 'give-back':
      throw move.error
    case 'finish': {
      const { as, resultId } = move
      await write('finish', {
        done: () => boot.finished.record(jobId, resultId, signal),
        'end done': endAttempt('done', null),
      })
      reportEnd(leased, { outcome: as, code: null, detail: resultId }, started, boot)
      return 'ended'
    }
    case 'set-aside': {
      const { as, code, attempts: tried, denialId, headerDigests } = move
      if (as === 'failed') log.warn('failed', { jobId, traceparent, ...why })
      const entry = { jobId, traceparent, code, attempts: tried, headerDigests: [...headerDigests] }
      await write('set-aside', {
        'dead letter': () => publishLetter(leased, { code, attempts: tried }, boot, signal),
        'job.dead-lettered': () => evidence.append({ event: 'job.dead-lettered', ...entry }),
        aside: () => attempts.markAside(leased, code, signal),
        'end failed': endAttempt('failed', code),
      })
      reportEnd(leased, { outcome: as, code, detail: denialId }, started, boot)
      return 'ended'
    }
    case 'put-back':
    case 'try-again': {
      const { kind, code, seconds } = move
      const notBefore = addSeconds(time.now(), seconds)
      log.warn('put back', { jobId, traceparent, code, seconds, ...why })
      await write(kind, {
        message: () => publishAgain(leased, notBefore, boot, signal),
        'job.returned': () => evidence.append({ event: 'job.returned', jobId, traceparent, code, notBefore }),
        'end again': endAttempt('again', code),
        'end failed': endAttempt('failed', code),
      })
      reportEnd(leased, { outcome: 'returned', code, detail: null }, started, boot)
      return 'ended'
    }
  }
}

type Writers<Name extends MoveName> = { readonly [Each in WriteOf<Name>]: () => unknown }

/** Writes `job.failed`, and returns the state after it. */
function tellFailure(
  move: 'fail' | 'give-up',
  { job: { jobId, traceparent } }: LeasedJob,
  { releaseId, error }: Extract<WorkOutcome, { kind: 'failed' }>,
  { evidence }: Pick<Boot, 'evidence'>,
): State {
  evidence.append({ event: 'job.failed', jobId, traceparent, releaseId, code: codeOf(error) })
  return LIFE[move].to
}

/** A message whose job was set aside before: it ends without another dead letter. */
export function reportRepeated(
  leased: LeasedJob,
  code: string,
  started: number,
  boot: Pick<Boot, 'metrics' | 'clock' | 'log'>,
): void {
  const end = { outcome: 'superseded', code: isErrorCode(code) ? code : null, detail: null } as const
  reportEnd(leased, end, started, boot)
}

/** Counts and logs the end of a job. `started` is of the monotonic clock. */
function reportEnd(
  { job: { jobId, traceparent } }: LeasedJob,
  end: { readonly outcome: JobOutcome; readonly code: ErrorCode | null; readonly detail: string | null },
  started: number,
  { metrics, clock, log }: Pick<Boot, 'metrics' | 'clock' | 'log'>,
): void {
  const elapsedMs = Math.round(clock.monotonic() - started)
  metrics.jobEnded(end.outcome, end.code ?? '', elapsedMs / 1000)
  log.info('ended', { jobId, traceparent, ...end, elapsedMs })
}
