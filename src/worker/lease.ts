/** A leased job, and the two ways in which it leaves the stream without a result. */
import { codeOf, type ErrorCode } from '#core/errors.ts'
import { deadLetterOf } from '#core/job/deadLetter.ts'
import { type Job, JobFormat } from '#core/job/job.ts'
import { addSeconds } from '#core/time.ts'
import type { StreamMessage } from '#ports/jobStream.ts'
import type { Boot } from './boot.ts'

export type LeasedJob = { readonly job: Job; readonly message: Buffer }

type SetAsideBoot = Pick<Boot, 'deadLetters' | 'evidence' | 'time' | 'metrics'>

/** Decodes the job of a message. A message that is not a job is set aside, and undefined is returned. */
export async function acceptMessage(
  { value }: StreamMessage,
  boot: SetAsideBoot,
  signal: AbortSignal,
): Promise<LeasedJob | undefined> {
  try {
    return { job: JobFormat.decode(value), message: value }
  } catch (error) {
    await setAside(
      { message: value, job: null, code: codeOf(error), attempts: 0, headerDigests: [] },
      boot,
      signal,
    )
    return undefined
  }
}

/** Puts the job on the dead-letter stream and says so in the evidence. */
export async function setAside(
  about: {
    readonly message: Buffer
    readonly job: Job | null
    readonly code: ErrorCode
    readonly attempts: number
    /** Of its objects, if their headers were read. */
    readonly headerDigests: readonly string[]
  },
  { deadLetters, evidence, time, metrics }: SetAsideBoot,
  signal: AbortSignal,
): Promise<void> {
  const { message, job, code, attempts, headerDigests } = about
  const letter = deadLetterOf(message, {
    jobId: job?.jobId ?? null,
    code,
    attempts,
    boot: evidence.boot,
    deadAt: time.now(),
  })
  await deadLetters.publish(job?.jobId ?? 'malformed', letter, signal)
  if (job !== null)
    evidence.append({
      event: 'job.dead-lettered',
      jobId: job.jobId,
      traceparent: job.traceparent,
      code,
      attempts,
      headerDigests: [...headerDigests],
    })
  metrics.deadLettered(code)
}

/**
 * Puts the job back on its stream, to run again after `seconds` at the earliest. The new key may lead to
 * another partition, and so to another worker.
 */
export async function putBack(
  { job }: LeasedJob,
  code: ErrorCode,
  seconds: number,
  boot: Pick<Boot, 'jobs' | 'evidence' | 'time'>,
  signal: AbortSignal,
): Promise<void> {
  const notBefore = addSeconds(boot.time.now(), seconds)
  await boot.jobs.publish(`${job.jobId}/${notBefore}`, JobFormat.encode({ ...job, notBefore }), signal)
  const { jobId, traceparent } = job
  boot.evidence.append({ event: 'job.returned', jobId, traceparent, code, notBefore })
}

/** Publishes a job that may not run yet again, unchanged. */
export async function requeue(
  { job, message }: LeasedJob,
  { jobs }: Pick<Boot, 'jobs'>,
  signal: AbortSignal,
): Promise<void> {
  await jobs.publish(`${job.jobId}/${job.notBefore}`, message, signal)
}
