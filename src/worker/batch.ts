/**
 * One batch: challenge → report → release for all its jobs, then each job by itself, until every job has ended. What fails
 * for want of a service waits and is asked for again; what will never succeed is set aside; what says that this worker
 * itself is not acceptable ends the worker and leaves the jobs to others.
 */
import PQueue from 'p-queue'
import type { Log } from '#adapters/system/log.ts'
import { errorFields } from '#adapters/system/log.ts'
import { CodedError, codeOf, type ErrorCode, errorRow, isErrorCode } from '#core/errors.ts'
import type { RefusalBody } from '#core/release/request.ts'
import type { Clock } from '#ports/clock.ts'
import type { Answer, Attester } from './attester.ts'
import { compute, type ObjectHeader, readHeader, recordGrant, type Workshop } from './computation.ts'
import { claimAttempt, type Desk, type LeasedJob, MAX_ATTEMPTS, putBack, setAside } from './lease.ts'
import type { Outcome } from './metrics.ts'

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 10_000

/** Stages of the Verifier's work that judge the worker; the later ones judge the job. */
const ABOUT_THE_WORKER: readonly RefusalBody['stage'][] = [
  'request',
  'binding',
  'assertion',
  'evidence',
  'appraisal',
]

export type Crew = {
  readonly attester: Attester
  readonly workshop: Workshop
  readonly desk: Desk
  readonly concurrency: number
  readonly clock: Clock
  readonly log: Log
}

/** How a job ended. `detail` is a result id, or the denial id of a refusal. */
export type Ending = {
  readonly leased: LeasedJob
  readonly outcome: Outcome
  readonly code: ErrorCode | null
  readonly detail: string | null
}

/** The worker was refused, not a job: nothing of the batch is done, and this worker cannot do it. */
export class WorkerRefused extends CodedError {
  readonly denialId: string

  constructor({ code, title, denialId }: RefusalBody) {
    super(isErrorCode(code) ? code : 'internal.fault', title)
    this.name = 'WorkerRefused'
    this.denialId = denialId
  }
}

type Round = { readonly endings: readonly Ending[]; readonly waiting: readonly LeasedJob[] }
/** How far a job came in this round: what its end must name. */
type Course = { readonly releaseId: string | null; attempts: number }
type Work = (course: Course) => Promise<Ending>
type Asked = { readonly leased: LeasedJob; readonly header: ObjectHeader }

/**
 * Runs the jobs until each has ended. Throws the signal's reason once it is aborted (the lease is lost), that of `stopping`
 * where a job would have to wait while the worker is to stop, `WorkerRefused`, and codes whose disposition is `stop`: then
 * the batch is not to be committed.
 */
export async function runJobs(
  jobs: readonly LeasedJob[],
  crew: Crew,
  signal: AbortSignal,
  stopping: AbortSignal,
): Promise<readonly Ending[]> {
  const endings: Ending[] = []
  let pending = jobs
  for (let waitMs = FIRST_WAIT_MS; pending.length > 0; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    const due = pending.filter(({ job }) => job.notBefore <= crew.clock.now())
    const round =
      due.length === 0 ? { endings: [], waiting: due } : await runRound(due, crew, signal, stopping)
    endings.push(...round.endings)
    pending = [...round.waiting, ...pending.filter((leased) => !due.includes(leased))]
    if (pending.length > 0) await crew.clock.sleep(waitMs, AbortSignal.any([signal, stopping]))
  }
  return endings
}

/** Repeats what fails for want of a service until it succeeds or the signal is aborted. */
export async function untilAvailable<T>(
  work: () => Promise<T>,
  { clock, log }: Pick<Crew, 'clock' | 'log'>,
  signal: AbortSignal,
): Promise<T> {
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    try {
      return await work()
    } catch (error) {
      if (signal.aborted || errorRow(codeOf(error)).disposition !== 'retry' || codeOf(error) === 'lease.lost')
        throw error
      log.warn('waiting', { ...errorFields(error), waitMs })
      await clock.sleep(waitMs, signal)
    }
  }
}

async function runRound(
  jobs: readonly LeasedJob[],
  crew: Crew,
  signal: AbortSignal,
  stopping: AbortSignal,
): Promise<Round> {
  const endings: Ending[] = []
  const waiting: LeasedJob[] = []
  const settle = async (leased: LeasedJob, releaseId: string | null, work: Work) => {
    const ending = await endOf(leased, { releaseId, attempts: 0 }, work, crew, signal)
    if (ending === 'waiting') waiting.push(leased)
    else endings.push(ending)
  }

  // The challenge comes first: while the Verifier is away nothing else is worth doing.
  const challenge = await untilAvailable(
    () => crew.attester.challenge(signal),
    crew,
    AbortSignal.any([signal, stopping]),
  )
  await untilAvailable(() => crew.desk.evidence.flush(signal), crew, signal)
  const asked: Asked[] = []
  for (const leased of jobs) {
    try {
      asked.push({ leased, header: await readHeader(leased.job, crew.desk.store, signal) })
    } catch (error) {
      await settle(leased, null, () => Promise.reject(error))
    }
  }
  if (asked.length === 0) return { endings, waiting }

  const started = crew.clock.monotonic()
  let answers: readonly Answer[]
  try {
    answers = await crew.attester.ask(
      challenge,
      asked.map(({ header }) => header.release),
      signal,
    )
  } catch (error) {
    signal.throwIfAborted()
    if (errorRow(codeOf(error)).disposition !== 'retry') throw error
    crew.log.warn('waiting', errorFields(error))
    return { endings, waiting: [...waiting, ...asked.map(({ leased }) => leased)] }
  }
  crew.desk.metrics.released((crew.clock.monotonic() - started) / 1000)
  await refuseWorker(asked, answers, crew, signal)

  const queue = new PQueue({ concurrency: crew.concurrency })
  const ends = asked.map(({ leased, header }, index) => {
    const answer = answers[index]
    if (answer === undefined) throw new CodedError('internal.fault', 'a job has no answer')
    if (answer.kind === 'refused')
      return settle(leased, null, () => refuse(leased, answer.refusal, crew, signal))
    recordGrant(leased.job, answer.accepted, crew.desk.evidence)
    return queue.add(() =>
      settle(leased, answer.accepted.grant.releaseId, (course) =>
        runGranted({ leased, header }, answer, course, crew, signal),
      ),
    )
  })
  const failed = (await Promise.allSettled(ends)).find((end) => end.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return { endings, waiting }
}

/** A refusal of the worker itself stops it before any of the batch is touched. */
async function refuseWorker(
  asked: readonly Asked[],
  answers: readonly Answer[],
  { desk, clock, log }: Crew,
  signal: AbortSignal,
): Promise<void> {
  const refusal = answers
    .flatMap((answer) => (answer.kind === 'refused' ? [answer.refusal] : []))
    .find(({ retryable, stage }) => !retryable && ABOUT_THE_WORKER.includes(stage))
  if (refusal === undefined) return
  for (const { leased } of asked) recordDenial(leased, refusal, desk)
  await untilAvailable(() => desk.evidence.flush(signal), { clock, log }, signal)
  throw new WorkerRefused(refusal)
}

async function runGranted(
  { leased, header }: Asked,
  answer: Extract<Answer, { kind: 'granted' }>,
  course: Course,
  { workshop, desk, log }: Crew,
  signal: AbortSignal,
): Promise<Ending> {
  const { job } = leased
  const { grant } = answer.accepted
  const attempt = await claimAttempt(job, desk, signal)
  course.attempts = Math.min(attempt, MAX_ATTEMPTS)
  if (attempt > MAX_ATTEMPTS)
    throw new CodedError('job.exhausted', `the job was tried ${MAX_ATTEMPTS} times before`)
  log.info('released', { jobId: job.jobId, releaseId: grant.releaseId, attempt, assurance: grant.assurance })
  const { kind, resultId } = await compute(job, header, answer, workshop, signal)
  return { leased, outcome: kind, code: null, detail: resultId }
}

async function refuse(
  leased: LeasedJob,
  refusal: RefusalBody,
  { desk }: Crew,
  signal: AbortSignal,
): Promise<Ending> {
  const code = recordDenial(leased, refusal, desk)
  if (refusal.retryable) throw new CodedError(code, refusal.title)
  await setAside({ ...leased, code, attempts: 0 }, desk, signal)
  return { leased, outcome: 'refused', code, detail: refusal.denialId }
}

function recordDenial({ job }: LeasedJob, { code, denialId }: RefusalBody, { evidence }: Desk): ErrorCode {
  const known = isErrorCode(code) ? code : 'internal.fault'
  evidence.append({
    event: 'release.denied',
    jobId: job.jobId,
    traceparent: job.traceparent,
    denialId,
    code: known,
  })
  return known
}

/** The one place that decides what a failure means for its job. */
async function endOf(
  leased: LeasedJob,
  course: Course,
  work: Work,
  { desk, clock, log }: Crew,
  signal: AbortSignal,
): Promise<Ending | 'waiting'> {
  const started = clock.monotonic()
  const { jobId, traceparent } = leased.job
  const ended = (ending: Ending): Ending => {
    const { outcome, code, detail } = ending
    const elapsedMs = Math.round(clock.monotonic() - started)
    desk.metrics.jobEnded(outcome, code ?? '', elapsedMs / 1000)
    log.info('ended', { jobId, outcome, code, detail, elapsedMs })
    return ending
  }
  try {
    return ended(await work(course))
  } catch (error) {
    const code = codeOf(error)
    const { disposition } = errorRow(code)
    const { releaseId, attempts } = course
    if (releaseId !== null || disposition === 'reject')
      desk.evidence.append({ event: 'job.failed', jobId, traceparent, releaseId, code })
    signal.throwIfAborted()
    if (disposition === 'retry') {
      log.warn('waiting', { jobId, ...errorFields(error) })
      return 'waiting'
    }
    if (disposition === 'stop' && code !== 'internal.fault') throw error
    log.warn('failed', { jobId, ...errorFields(error) })
    const end = (outcome: Outcome): Ending => ended({ leased, outcome, code, detail: null })
    if (disposition === 'reject') {
      await untilAvailable(
        () => setAside({ ...leased, code, attempts }, desk, signal),
        { clock, log },
        signal,
      )
      return end('failed')
    }
    // A fault of our own may be of the moment: the attempts decide whether there is another.
    await untilAvailable(() => putBack(leased, code, desk, signal), { clock, log }, signal)
    return end('returned')
  }
}
