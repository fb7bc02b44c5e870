/**
 * Retries a job that was set aside: a new round of attempts, then its message on the jobs stream.
 *
 * Crash argument. The round begins before the message is on the stream. If we stop between the two, the letter
 * is answered and the job does not run: the next run of this command finds the round that answers the letter,
 * and only publishes. A message too many is harmless, since every message may come twice.
 */
import { utf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { LAST_ROUND, retryName } from '#core/job/attempt.ts'
import { type Job, JobFormat } from '#core/job/job.ts'
import { LIFE, mayMake, type WriteOf } from '#core/job/life.ts'
import { createOnce } from '#ports/createOnce.ts'
import type { StreamProducer } from '#ports/jobStream.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { findLetter, type LetterSource, type Standing, standingOf } from './letters.ts'

export type RetryServices = LetterSource & {
  readonly store: Pick<ObjectStore, 'create'>
  readonly jobs: StreamProducer
}

export type Retried = {
  readonly jobId: string
  readonly round: number
  /** False if the round had begun, and the message was only published again. */
  readonly begun: boolean
}

/** Throws `letter.missing`, `job.overtaken`, `job.spent`. */
export async function retryJob(jobId: string, services: RetryServices): Promise<Retried> {
  const { digest, job } = await findLetter(jobId, services)
  const standing = await standingOf(job, { digest }, services)
  const begun = mayBegin(jobId, standing)
  const round = standing.round + (begun ? 1 : 0)
  const writers: Readonly<Record<WriteOf<'retry'>, () => Promise<void>>> = {
    retry: () => begin(jobId, round, digest, services),
    message: () => publish(job, services),
  }
  for (const write of LIFE.retry.writes) if (begun || write === 'message') await writers[write]()
  return { jobId, round, begun }
}

/** False if a round has begun that answers the letter. */
function mayBegin(jobId: string, { state, resultId, round }: Standing): boolean {
  if (state === 'published') return false
  if (!mayMake('retry', state))
    throw new CodedError('job.overtaken', `job ${jobId} has a result by now: ${resultId ?? ''}`)
  if (round >= LAST_ROUND)
    throw new CodedError('job.spent', `job ${jobId} was retried ${round} times, the limit is ${LAST_ROUND}`)
  return true
}

async function begin(
  jobId: string,
  round: number,
  digest: string,
  { store, buckets, signal }: RetryServices,
): Promise<void> {
  const object = { ...buckets.state, name: retryName(jobId, round) }
  // Another operator who retries the same letter writes the same text.
  if ((await createOnce(store, object, utf8(digest), signal)) === 'foreign')
    throw new CodedError('service.conflict', `another operator has begun round ${round} of job ${jobId}`)
}

async function publish(job: Job, { jobs, signal }: RetryServices): Promise<void> {
  await jobs.publish(job.jobId, JobFormat.encode({ ...job, notBefore: 0 }), signal)
}
