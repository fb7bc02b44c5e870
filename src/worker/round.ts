/** One round over the jobs of a batch: challenge → headers → report and release → each job by itself. */
import PQueue from 'p-queue'
import { errorFields } from '#adapters/system/log.ts'
import { CodedError, codeOf, type ErrorCode, errorRow } from '#core/errors.ts'
import type { Challenge } from '#core/release/nonce.ts'
import type { RefusalBody } from '#core/release/request.ts'
import type { GrantedJob, JobAnswer } from './attester.ts'
import type { Boot } from './boot.ts'
import { compute, type ObjectHeader, readHeader, recordGrant, releaseJobOf } from './computation.ts'
import { type Move, moveFor, type Outcome } from './ending.ts'
import { claimAttempt, type LeasedJob, MAX_ATTEMPTS, putBack, setAside } from './lease.ts'
import type { JobOutcome } from './metrics.ts'
import { untilAvailable } from './outage.ts'

/** Stages of the Verifier's work that judge the worker; the later ones judge the job. */
const ABOUT_THE_WORKER: readonly RefusalBody['stage'][] = [
  'request',
  'binding',
  'assertion',
  'evidence',
  'appraisal',
]

/** The Verifier refuses the worker, not a job: no job of the batch has ended, and this worker can end none. */
export class WorkerRefused extends CodedError {
  readonly denialId: string

  constructor(refusal: RefusalBody) {
    super(refusal.code, refusal.title)
    this.name = 'WorkerRefused'
    this.denialId = refusal.denialId
  }
}

type AskedJob = { readonly leased: LeasedJob; readonly header: ObjectHeader }
type AnsweredJob = AskedJob & { readonly answer: JobAnswer }

export class Round {
  readonly #boot: Boot
  /** Aborted when the lease is lost. */
  readonly #signal: AbortSignal
  /** Aborted by the first SIGTERM. */
  readonly #stopping: AbortSignal
  // Invariant: each job of the round is still in hand, or it has ended, or it is in #waiting; never two of these.
  readonly #waiting: LeasedJob[] = []

  constructor(boot: Boot, signal: AbortSignal, stopping: AbortSignal) {
    this.#boot = boot
    this.#signal = signal
    this.#stopping = stopping
  }

  /**
   * Returns the jobs that have not ended and are to be asked for again. Throws `WorkerRefused`, the reason of a signal
   * that was aborted, and codes whose disposition is `stop`.
   */
  async run(jobs: readonly LeasedJob[]): Promise<readonly LeasedJob[]> {
    const challenge = await this.#challenge()
    const asked = await this.#readHeaders(jobs)
    const answered = await this.#ask(challenge, asked)
    await this.#stopIfWorkerRefused(answered)
    await this.#runAll(answered)
    return this.#waiting
  }

  /** Comes first: while the Verifier is away, the rest of the round is in vain. */
  async #challenge(): Promise<Challenge> {
    const { attester, evidence } = this.#boot
    const challenge = await untilAvailable(
      () => attester.challenge(this.#signal),
      this.#boot,
      AbortSignal.any([this.#signal, this.#stopping]),
    )
    await this.#untilDone(() => evidence.flush(this.#signal))
    return challenge
  }

  /** A job whose object cannot be read ends here, or waits. */
  async #readHeaders(jobs: readonly LeasedJob[]): Promise<readonly AskedJob[]> {
    const asked: AskedJob[] = []
    for (const leased of jobs) {
      const started = this.#boot.clock.monotonic()
      try {
        asked.push({ leased, header: await readHeader(leased.job, this.#boot.store, this.#signal) })
      } catch (error) {
        await this.#settle(leased, { kind: 'failed', error, releaseId: null, attempts: 0 }, started)
      }
    }
    return asked
  }

  /** One answer per asked job; none if the Verifier went away meanwhile: then all of them wait. */
  async #ask(challenge: Challenge, asked: readonly AskedJob[]): Promise<readonly AnsweredJob[]> {
    if (asked.length === 0) return []
    const { attester, clock, metrics, log } = this.#boot
    const started = clock.monotonic()
    try {
      const answers = await attester.ask(
        challenge,
        asked.map(({ leased, header }) => releaseJobOf(leased.job, header)),
        this.#signal,
      )
      metrics.released((clock.monotonic() - started) / 1000)
      return asked.map((job, index) => ({ ...job, answer: expectAnswer(answers, index) }))
    } catch (error) {
      this.#signal.throwIfAborted()
      if (errorRow(codeOf(error)).disposition !== 'retry') throw error
      log.warn('waiting', errorFields(error))
      this.#waiting.push(...asked.map(({ leased }) => leased))
      return []
    }
  }

  /** A refusal of the worker itself stops it before a job of the batch is touched. */
  async #stopIfWorkerRefused(jobs: readonly AnsweredJob[]): Promise<void> {
    const refusal = jobs
      .flatMap(({ answer }) => (answer.kind === 'refused' ? [answer.refusal] : []))
      .find(({ retryable, stage }) => !retryable && ABOUT_THE_WORKER.includes(stage))
    if (refusal === undefined) return
    for (const { leased } of jobs) this.#recordDenial(leased, refusal)
    await this.#untilDone(() => this.#boot.evidence.flush(this.#signal))
    throw new WorkerRefused(refusal)
  }

  /** An error is thrown only after all jobs have come to rest. */
  async #runAll(jobs: readonly AnsweredJob[]): Promise<void> {
    // Each key that was received is in the log before any of them opens an object.
    for (const { leased, answer } of jobs)
      if (answer.kind === 'granted') recordGrant(leased.job, answer.accepted, this.#boot.evidence)
    const queue = new PQueue({ concurrency: this.#boot.concurrency })
    const ends = await Promise.allSettled(jobs.map((job) => queue.add(() => this.#runJob(job))))
    const failed = ends.find((end) => end.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  async #runJob({ leased, header, answer }: AnsweredJob): Promise<void> {
    const started = this.#boot.clock.monotonic()
    const outcome =
      answer.kind === 'granted'
        ? await this.#runGranted(leased, header, answer)
        : this.#refused(leased, answer.refusal)
    await this.#settle(leased, outcome, started)
  }

  #refused(leased: LeasedJob, refusal: RefusalBody): Outcome {
    this.#recordDenial(leased, refusal)
    if (!refusal.retryable) return { kind: 'refused', refusal }
    const error = new CodedError(refusal.code, refusal.title)
    return { kind: 'failed', error, releaseId: null, attempts: 0 }
  }

  /** Throws nothing: what fails is the outcome. */
  async #runGranted(leased: LeasedJob, header: ObjectHeader, granted: GrantedJob): Promise<Outcome> {
    const { job } = leased
    const { releaseId, assurance } = granted.accepted.grant
    let attempts = 0
    try {
      const attempt = await claimAttempt(job, this.#boot, this.#signal)
      attempts = Math.min(attempt, MAX_ATTEMPTS)
      if (attempt > MAX_ATTEMPTS)
        throw new CodedError('job.exhausted', `the job was tried ${MAX_ATTEMPTS} times before`)
      this.#boot.log.info('released', { jobId: job.jobId, releaseId, attempt, assurance })
      const published = await compute(job, header, granted, this.#boot, this.#signal)
      return { kind: 'published', published }
    } catch (error) {
      return { kind: 'failed', error, releaseId, attempts }
    }
  }

  /** Carries out what the outcome means; afterwards the job has ended or waits. */
  async #settle(leased: LeasedJob, outcome: Outcome, started: number): Promise<void> {
    const { log } = this.#boot
    const { jobId } = leased.job
    const move = moveFor(outcome)
    this.#recordFailure(leased, outcome, move)
    // Evidence of a failure is written even if the lease is lost; everything below belongs to the lease.
    if (move.kind !== 'finish') this.#signal.throwIfAborted()
    const why = outcome.kind === 'failed' ? errorFields(outcome.error) : {}
    switch (move.kind) {
      case 'finish':
        return this.#ended(leased, { outcome: move.as, code: null, detail: move.resultId }, started)
      case 'wait':
        log.warn('waiting', { jobId, ...why })
        this.#waiting.push(leased)
        return
      case 'set-aside': {
        const { code, attempts, denialId } = move
        if (move.as === 'failed') log.warn('failed', { jobId, ...why })
        await this.#untilDone(() => setAside({ ...leased, code, attempts }, this.#boot, this.#signal))
        return this.#ended(leased, { outcome: move.as, code, detail: denialId }, started)
      }
      case 'put-back': {
        const { code } = move
        log.warn('failed', { jobId, ...why })
        await this.#untilDone(() => putBack(leased, code, this.#boot, this.#signal))
        return this.#ended(leased, { outcome: 'returned', code, detail: null }, started)
      }
      case 'stop':
        throw move.error
    }
  }

  /** A release that was received and failed is always in the log; before a release, only what ends the job is. */
  #recordFailure({ job: { jobId, traceparent } }: LeasedJob, outcome: Outcome, move: Move): void {
    if (outcome.kind !== 'failed') return
    const { releaseId, error } = outcome
    if (releaseId !== null || move.kind === 'set-aside')
      this.#boot.evidence.append({
        event: 'job.failed',
        jobId,
        traceparent,
        releaseId,
        code: codeOf(error),
      })
  }

  #recordDenial({ job: { jobId, traceparent } }: LeasedJob, refusal: RefusalBody): void {
    this.#boot.evidence.append({
      event: 'release.denied',
      jobId,
      traceparent,
      denialId: refusal.denialId,
      code: refusal.code,
    })
  }

  #ended(
    { job: { jobId } }: LeasedJob,
    end: { readonly outcome: JobOutcome; readonly code: ErrorCode | null; readonly detail: string | null },
    started: number,
  ): void {
    const { metrics, clock, log } = this.#boot
    const elapsedMs = Math.round(clock.monotonic() - started)
    metrics.jobEnded(end.outcome, end.code ?? '', elapsedMs / 1000)
    log.info('ended', { jobId, ...end, elapsedMs })
  }

  async #untilDone(work: () => Promise<unknown>): Promise<void> {
    await untilAvailable(work, this.#boot, this.#signal)
  }
}

function expectAnswer(answers: readonly JobAnswer[], index: number): JobAnswer {
  const answer = answers[index]
  if (answer === undefined) throw new CodedError('internal.fault', 'a job has no answer')
  return answer
}
