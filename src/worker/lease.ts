/**
 * A job as this worker has leased it, and the two ways in which it can leave the stream other than by a result.
 */

import type { EvidenceLog } from '#adapters/evidence/log.ts'
import { codeOf, type ErrorCode } from '#core/errors.ts'
import { deadLetterOf } from '#core/job/deadLetter.ts'
import { type Job, JobFormat } from '#core/job/job.ts'
import { addSeconds } from '#core/time.ts'
import { createIfAbsent } from '#ports/createOnce.ts'
import type { StreamMessage, StreamProducer } from '#ports/jobStream.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'
import type { WorkerMetrics } from './metrics.ts'
import type { VerifierTime } from './verifierTime.ts'

export const MAX_ATTEMPTS = 3
const RETURN_SECONDS = 10

export type LeasedJob = { readonly job: Job; readonly message: Buffer }

export type Desk = {
  readonly store: ObjectStore
  readonly stateBucket: Omit<ObjectRef, 'name'>
  readonly jobs: StreamProducer
  readonly deadLetters: StreamProducer
  readonly evidence: EvidenceLog
  readonly time: VerifierTime
  readonly metrics: WorkerMetrics
}

/** The job of a message; undefined where it is none and was set aside. */
export async function acceptMessage(
  { value }: StreamMessage,
  desk: Desk,
  signal: AbortSignal,
): Promise<LeasedJob | undefined> {
  try {
    return { job: JobFormat.decode(value), message: value }
  } catch (error) {
    await setAside({ message: value, job: null, code: codeOf(error), attempts: 0 }, desk, signal)
    return undefined
  }
}

/**
 * Create-once `attempt/<jobId>/<n>`: the first free n is this attempt, whichever worker made the ones before; beyond
 * `MAX_ATTEMPTS` there is none. Counted before the object is opened, so that a job that kills its worker is tried three times
 * in all.
 */
export async function claimAttempt(
  { jobId }: Job,
  { store, stateBucket, evidence }: Desk,
  signal: AbortSignal,
): Promise<number> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const object = { ...stateBucket, name: `attempt/${jobId}/${attempt}` }
    // A lost answer spends the attempt. Comparing would not help: this boot may have made an earlier one.
    if (await createIfAbsent(store, object, Buffer.from(evidence.boot), signal)) return attempt
  }
  return MAX_ATTEMPTS + 1
}

/** Puts the job on the dead-letter stream and says so in the evidence. */
export async function setAside(
  about: {
    readonly message: Buffer
    readonly job: Job | null
    readonly code: ErrorCode
    readonly attempts: number
  },
  { deadLetters, evidence, time, metrics }: Desk,
  signal: AbortSignal,
): Promise<void> {
  const { message, job, code, attempts } = about
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
    })
  metrics.deadLettered(code)
}

/** Puts the job back on its stream, not to be run for a while. */
export async function putBack(
  { job }: LeasedJob,
  code: ErrorCode,
  desk: Desk,
  signal: AbortSignal,
): Promise<void> {
  const notBefore = addSeconds(desk.time.now(), RETURN_SECONDS)
  await desk.jobs.publish(job.jobId, JobFormat.encode({ ...job, notBefore }), signal)
  const { jobId, traceparent } = job
  desk.evidence.append({ event: 'job.returned', jobId, traceparent, code, notBefore })
}
