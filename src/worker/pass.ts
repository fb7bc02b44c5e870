/**
 * One pass over the jobs of a batch: challenge → attempts → inputs → report and release → each job by
 * itself.
 */
import PQueue from 'p-queue'
import { errorFields } from '#adapters/system/log.ts'
import { untilAvailable } from '#adapters/system/outage.ts'
import { CodedError, codeOf, errorRow } from '#core/errors.ts'
import type { AcceptedRefusal } from '#core/release/accept.ts'
import type { Challenge } from '#core/release/nonce.ts'
import { type Denial, RequestRefused } from '#core/release/refusal.ts'
import { createRoom } from '#core/release/request.ts'
import { isForNow, isUndecided } from './about.ts'
import { type Admission, admitJob, type OpenAttempts } from './attempts.ts'
import type { GrantedJob, JobAnswer } from './attester.ts'
import type { Boot } from './boot.ts'
import { compute, recordGrant } from './computation.ts'
import type { WorkOutcome } from './ending.ts'
import { findHeaderDigests, headerDigestsOf, type JobInput, readInput, releaseJobOf } from './input.ts'
import type { LeasedJob } from './lease.ts'
import { show } from './publication.ts'
import type { Standing } from './returns.ts'
import { reportRepeated, settle } from './settlement.ts'

type AskedJob = { readonly leased: LeasedJob; readonly input: JobInput }
type AnsweredJob = AskedJob & { readonly answer: JobAnswer }

/** The jobs of a pass that have not ended. */
export type Unended = {
  /** To be asked for again. */
  readonly waiting: readonly LeasedJob[]
  /** Some of them only because one request had no room for them. */
  readonly crowded: boolean
  /** Not taken up, since they must run alone. */
  readonly suspects: readonly LeasedJob[]
}

export type PassContext = {
  readonly boot: Boot
  /** Those of the batch: an attempt lasts over its passes. */
  readonly attempts: OpenAttempts
  /** The batch has lasted long enough: no job waits in it any more. */
  readonly isLate: () => boolean
  /** The pass has one job, which may be a suspect. */
  readonly alone: boolean
  /** Aborted when the lease is lost. */
  readonly signal: AbortSignal
  /** Aborted by the first SIGTERM. */
  readonly stopping: AbortSignal
}

export class Pass {
  readonly #boot: Boot
  readonly #attempts: OpenAttempts
  readonly #isLate: () => boolean
  readonly #alone: boolean
  readonly #signal: AbortSignal
  readonly #stopping: AbortSignal
  // Invariant: each job of the pass is in hand, has ended, or is in one of these two; never two at once.
  readonly #waiting: LeasedJob[] = []
  readonly #suspects: LeasedJob[] = []
  #crowded = false

  constructor(context: PassContext) {
    this.#boot = context.boot
    this.#attempts = context.attempts
    this.#isLate = context.isLate
    this.#alone = context.alone
    this.#signal = context.signal
    this.#stopping = context.stopping
  }

  /**
   * Throws the refusal of the request as a whole, the reason of a signal that was aborted, and codes whose
   * disposition is `stop`.
   */
  async run(jobs: readonly LeasedJob[]): Promise<Unended> {
    if (jobs.length === 0) return { waiting: [], crowded: false, suspects: [] }
    const challenge = await this.#challenge()
    const admitted = await this.#admitAll(jobs)
    const asked = await this.#readInputs(admitted)
    const answered = await this.#ask(challenge, asked)
    await this.#runAll(answered)
    return { waiting: this.#waiting, crowded: this.#crowded, suspects: this.#suspects }
  }

  /** Comes first: while the Verifier is away, the rest of the pass is in vain. */
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

  /**
   * Returns the jobs of which this batch now holds an attempt. The claim is durable before the object is
   * read.
   */
  async #admitAll(jobs: readonly LeasedJob[]): Promise<readonly LeasedJob[]> {
    const admitted: LeasedJob[] = []
    for (const leased of jobs) {
      const started = this.#boot.clock.monotonic()
      if (this.#attempts.of(leased) !== undefined) admitted.push(leased)
      // A job that was published twice: the second message meets the result of the first.
      else if (this.#attempts.isTakenByAnother(leased)) this.#waiting.push(leased)
      else
        try {
          const admission = await admitJob(leased.job, this.#alone, this.#boot, this.#signal)
          if (await this.#admit(leased, admission, started)) admitted.push(leased)
        } catch (error) {
          await this.#settle(leased, failedBeforeRelease(this.#attempts.standingOf(leased), error), started)
        }
    }
    return admitted
  }

  /** True if the job is to run in this pass. */
  async #admit(leased: LeasedJob, admission: Admission, started: number): Promise<boolean> {
    switch (admission.kind) {
      case 'claimed':
        this.#attempts.add(leased, admission.claim)
        return true
      case 'suspect':
        this.#boot.log.warn('suspect', { jobId: leased.job.jobId, traceparent: leased.job.traceparent })
        this.#suspects.push(leased)
        return false
      case 'done': {
        const published = { kind: 'superseded', resultId: admission.resultId } as const
        await this.#settle(leased, { kind: 'published', published }, started)
        return false
      }
      case 'set-aside':
        reportRepeated(leased, admission.code, started, this.#boot)
        return false
      case 'exhausted': {
        const { counted: attempts, round } = admission
        this.#attempts.addExhausted(leased, round)
        const error = new CodedError('job.exhausted', `the job was tried ${attempts} times before`)
        const headerDigests = await findHeaderDigests(leased.job, this.#boot.objects, this.#signal)
        const standing = this.#attempts.standingOf(leased)
        const outcome: WorkOutcome = {
          kind: 'failed',
          error,
          releaseId: null,
          attempts,
          headerDigests,
          standing,
        }
        await this.#settle(leased, outcome, started)
        return false
      }
    }
  }

  /** A job whose input cannot be read ends here, or waits. Those that one request has no room for wait too. */
  async #readInputs(jobs: readonly LeasedJob[]): Promise<readonly AskedJob[]> {
    const asked: AskedJob[] = []
    const hasRoom = createRoom()
    for (const leased of jobs) {
      if (this.#crowded) {
        this.#waiting.push(leased)
        continue
      }
      const started = this.#boot.clock.monotonic()
      try {
        const input = await readInput(leased.job, this.#boot.objects, this.#signal)
        this.#crowded = !hasRoom(releaseJobOf(leased.job, input))
        if (this.#crowded) this.#waiting.push(leased)
        else asked.push({ leased, input })
      } catch (error) {
        await this.#settle(leased, failedBeforeRelease(this.#attempts.standingOf(leased), error), started)
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
        asked.map(({ leased, input }) => releaseJobOf(leased.job, input)),
        this.#signal,
      )
      metrics.released((clock.monotonic() - started) / 1000)
      return asked.map((job, index) => ({ ...job, answer: expectAnswer(answers, index) }))
    } catch (error) {
      this.#signal.throwIfAborted()
      if (errorRow(codeOf(error)).disposition !== 'retry' && !isForNow(error)) {
        if (error instanceof RequestRefused) await this.#recordDenials(asked, error)
        throw error
      }
      if (isUndecided(error) && this.#isLate()) throw error
      log.warn('waiting', errorFields(error))
      this.#waiting.push(...asked.map(({ leased }) => leased))
      return []
    }
  }

  /** The request was refused as a whole, before a job of the batch was touched. */
  async #recordDenials(jobs: readonly AskedJob[], refused: RequestRefused): Promise<void> {
    for (const { leased } of jobs) this.#recordDenial(leased, refused)
    await this.#untilDone(() => this.#boot.evidence.flush(this.#signal))
  }

  /** An error is thrown only after all jobs have come to rest. */
  async #runAll(jobs: readonly AnsweredJob[]): Promise<void> {
    // Each key that was received is in the log before any of them opens an object.
    for (const { leased, answer } of jobs)
      if (answer.kind === 'granted') recordGrant(leased.job, answer.accepted, this.#boot.evidence)
    const queue = new PQueue({ concurrency: this.#boot.concurrency })
    const ends = await Promise.allSettled(jobs.map((job) => this.#runJob(job, queue)))
    const failed = ends.find((end) => end.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  /**
   * The queue bounds what is in memory. A result whose parts are stored waits for its permit outside of it:
   * so the jobs of a batch share the witness's calls.
   */
  async #runJob({ leased, input, answer }: AnsweredJob, queue: PQueue): Promise<void> {
    const started = this.#boot.clock.monotonic()
    const outcome =
      answer.kind === 'granted'
        ? await this.#runGranted(leased, input, answer, queue)
        : this.#refused(leased, input, answer)
    await this.#settle(leased, outcome, started)
  }

  #refused(leased: LeasedJob, input: JobInput, { denial, message }: AcceptedRefusal): WorkOutcome {
    this.#recordDenial(leased, denial)
    const standing = this.#attempts.standingOf(leased)
    if (errorRow(denial.code).disposition !== 'retry')
      return { kind: 'refused', denial, headerDigests: headerDigestsOf(input), standing }
    return failedBeforeRelease(standing, new CodedError(denial.code, message))
  }

  /** Throws nothing: what fails is the outcome. */
  async #runGranted(
    leased: LeasedJob,
    input: JobInput,
    granted: GrantedJob,
    queue: PQueue,
  ): Promise<WorkOutcome> {
    const { job } = leased
    const { jobId, traceparent } = job
    const { releaseId, assurance } = granted.accepted.grant
    const claim = this.#attempts.of(leased)
    const attempts = (claim?.history.counted ?? 0) + 1
    try {
      const computed = await queue.add(() => {
        this.#boot.log.info('released', { jobId, traceparent, releaseId, attempt: claim?.number, assurance })
        return compute(job, input, granted, this.#boot, this.#signal)
      })
      const isAnnounced = computed.kind === 'announced'
      const published = isAnnounced ? await show(computed, this.#boot, this.#signal) : computed
      return { kind: 'published', published }
    } catch (error) {
      const standing = this.#attempts.standingOf(leased)
      return { kind: 'failed', error, releaseId, attempts, headerDigests: headerDigestsOf(input), standing }
    }
  }

  async #settle(leased: LeasedJob, outcome: WorkOutcome, started: number): Promise<void> {
    const state = await settle(leased, outcome, started, {
      boot: this.#boot,
      attempts: this.#attempts,
      isLate: this.#isLate(),
      signal: this.#signal,
    })
    if (state === 'waiting') this.#waiting.push(leased)
  }

  #recordDenial({ job: { jobId, traceparent } }: LeasedJob, { denialId, code }: Denial): void {
    this.#boot.evidence.append({
      event: 'release.denied',
      jobId,
      traceparent,
      denialId,
      code,
    })
  }

  async #untilDone(work: () => Promise<unknown>): Promise<void> {
    await untilAvailable(work, this.#boot, this.#signal)
  }
}

function failedBeforeRelease(standing: Standing, error: unknown): WorkOutcome {
  return { kind: 'failed', error, releaseId: null, attempts: 0, headerDigests: [], standing }
}

function expectAnswer(answers: readonly JobAnswer[], index: number): JobAnswer {
  const answer = answers[index]
  if (answer === undefined) throw new CodedError('internal.fault', 'a job has no answer')
  return answer
}
