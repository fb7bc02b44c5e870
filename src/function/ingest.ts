/** Decides one event: publishes its job and records the decision. */
import { randomBytes } from 'node:crypto'
import { toHex } from '#core/bytes.ts'
import { CodedError, codeOf, type ErrorCode, errorRow } from '#core/errors.ts'
import { decisionName, eventDigest, type IngestDecision, IngestDecisionFormat } from '#core/job/decision.ts'
import { authoriseEvent, type BucketRef, type ObjectEvent, parseEvent, toJob } from '#core/job/event.ts'
import { type Job, JobFormat } from '#core/job/job.ts'
import type { Clock } from '#ports/clock.ts'
import { createIfAbsent } from '#ports/createOnce.ts'
import type { StreamProducer } from '#ports/jobStream.ts'
import type { ObjectStore } from '#ports/objectStore.ts'

export type IngestDeps = {
  readonly allowed: readonly BucketRef[]
  readonly records: BucketRef
  readonly store: Pick<ObjectStore, 'head' | 'create'>
  readonly jobs: StreamProducer
  readonly clock: Pick<Clock, 'now'>
}

/** `repeated`: this event was decided before, and nothing was done. */
export type IngestAnswer =
  | { readonly outcome: 'published'; readonly jobId: string }
  | { readonly outcome: 'refused'; readonly code: ErrorCode }
  | { readonly outcome: 'repeated' }

/**
 * Throws if a later call may succeed; Events then delivers the event again.
 *
 * Crash argument. The record is written after the job is on the stream. If we stop in between, the event
 * comes again and the job is published twice under the same jobId. In the other order a decided event could
 * have no job.
 */
export async function ingest(body: Uint8Array, deps: IngestDeps): Promise<IngestAnswer> {
  const read = readEvent(body)
  const digest = read instanceof CodedError ? eventDigest(body) : eventDigest(read.eventId)
  const record = { ...deps.records, name: decisionName(digest) }
  if (await isThere(deps, record)) return { outcome: 'repeated' }

  const decided = read instanceof CodedError ? read : await publishJob(read, deps)
  const outcome: IngestDecision['outcome'] =
    decided instanceof CodedError
      ? { kind: 'refused', code: decided.code }
      : {
          kind: 'published',
          jobId: decided.jobId,
          object: decided.object,
          etag: decided.etag,
          traceparent: decided.traceparent,
        }
  const decision: IngestDecision = { v: 1, eventDigest: digest, outcome, decidedAt: deps.clock.now() }
  // An existing record is from this event: two deliveries ran at the same time and decided alike.
  await createIfAbsent(deps.store, record, IngestDecisionFormat.encode(decision))
  return decided instanceof CodedError
    ? { outcome: 'refused', code: decided.code }
    : { outcome: 'published', jobId: decided.jobId }
}

function readEvent(body: Uint8Array): ObjectEvent | CodedError {
  try {
    return parseEvent(body)
  } catch (error) {
    return refusal(error)
  }
}

async function publishJob(event: ObjectEvent, deps: IngestDeps): Promise<Job | CodedError> {
  let job: Job
  try {
    const authorised = authoriseEvent(event, deps.allowed)
    const head = await lookAt(authorised, deps)
    job = toJob(authorised, head, newTraceparent(), deps.clock.now())
  } catch (error) {
    return refusal(error)
  }
  await deps.jobs.publish(job.jobId, JobFormat.encode(job))
  return job
}

/** The stored object, read with the function's own identity, in the version that the event names. */
async function lookAt(event: ObjectEvent, { store }: IngestDeps) {
  const { namespace, bucket, object, etag } = event
  try {
    return await store.head({ namespace, bucket, name: object }, etag)
  } catch (error) {
    if (codeOf(error) !== 'service.missing') throw error
    // The object is absent, or the policy that allows to see it is not yet active. OCI gives one answer for
    // both, and waiting helps only in the second case.
    throw new CodedError('service.unavailable', 'the object does not exist or is not visible', {
      cause: error,
    })
  }
}

/** An error that this input will always cause becomes a value. Every other error stays an exception. */
function refusal(error: unknown): CodedError {
  if (error instanceof CodedError && errorRow(error.code).disposition === 'reject') return error
  throw error
}

async function isThere({ store }: IngestDeps, record: Parameters<ObjectStore['head']>[0]): Promise<boolean> {
  try {
    await store.head(record)
    return true
  } catch (error) {
    if (codeOf(error) === 'service.missing') return false
    throw error
  }
}

/** The root of a trace through function, worker and evidence. */
function newTraceparent(): string {
  return `00-${toHex(randomBytes(16))}-${toHex(randomBytes(8))}-01`
}
