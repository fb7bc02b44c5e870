/** A leased job, and the messages with which it leaves the stream without a result. */
import { codeOf, type ErrorCode } from '#core/errors.ts'
import { deadLetterOf } from '#core/job/deadLetter.ts'
import { type Job, JobFormat } from '#core/job/job.ts'
import type { StreamMessage } from '#ports/jobStream.ts'
import type { Boot } from './boot.ts'

export type LeasedJob = { readonly job: Job; readonly message: Buffer }

type LetterBoot = Pick<Boot, 'deadLetters' | 'evidence' | 'time' | 'metrics'>

/** Decodes the job of a message. A message that is not a job is set aside, and undefined is returned. */
export async function acceptMessage(
  { value }: StreamMessage,
  boot: LetterBoot,
  signal: AbortSignal,
): Promise<LeasedJob | undefined> {
  try {
    return { job: JobFormat.decode(value), message: value }
  } catch (error) {
    await publishLetter({ message: value, job: null }, { code: codeOf(error), attempts: 0 }, boot, signal)
    return undefined
  }
}

/** Puts the message on the dead-letter stream. */
export async function publishLetter(
  { message, job }: { readonly message: Buffer; readonly job: Job | null },
  why: { readonly code: ErrorCode; readonly attempts: number },
  { deadLetters, evidence, time, metrics }: LetterBoot,
  signal: AbortSignal,
): Promise<void> {
  const jobId = job?.jobId ?? null
  const letter = deadLetterOf(message, { jobId, ...why, boot: evidence.boot, deadAt: time.now() })
  await deadLetters.publish(jobId ?? 'malformed', letter, signal)
  metrics.deadLettered(why.code)
}

/**
 * Publishes the job again, to run at `notBefore` at the earliest. The new key may lead to another partition,
 * and so to another worker.
 */
export async function publishAgain(
  { job }: LeasedJob,
  notBefore: number,
  { jobs }: Pick<Boot, 'jobs'>,
  signal: AbortSignal,
): Promise<void> {
  await jobs.publish(`${job.jobId}/${notBefore}`, JobFormat.encode({ ...job, notBefore }), signal)
}

/** Publishes a job that may not run yet again, unchanged. */
export async function requeue(
  { job, message }: LeasedJob,
  { jobs }: Pick<Boot, 'jobs'>,
  signal: AbortSignal,
): Promise<void> {
  await jobs.publish(`${job.jobId}/${job.notBefore}`, message, signal)
}
