/**
 * The input of a job, as it lies in the outbox: one sealed object, or a set of them. What the object is, its own
 * first bytes say, not the job message. Nothing of it is verified until a grant names it.
 */
import PQueue from 'p-queue'
import { toBase64url } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import type { Job } from '#core/job/job.ts'
import { peekCompact } from '#core/jws.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import { headerDigest } from '#core/sealed/header.ts'
import { readSealHeader, SEAL_PREFIX_BYTES } from '#core/sealed/object.ts'
import { memberName } from '#core/sealed/set.ts'
import { isSetRecord, readSetRecord, SET_RECORD_BYTES, SetRecordFormat } from '#core/sealed/setRecord.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

/** The head of a sealed object. */
export type SealedInput = {
  readonly ref: ObjectRef
  readonly etag: string
  /** Compact JWS, exactly as it lies in the object. */
  readonly header: string
  /** Where the ciphertext begins. */
  readonly offset: number
}

export type JobInput = {
  /** The set record, exactly as it lies in its object; undefined for an object of its own. */
  readonly set: string | undefined
  /** In the order of the set record. */
  readonly objects: readonly SealedInput[]
}

type Objects = Pick<ObjectStore, 'head' | 'read'>

/** Members whose heads are read at the same time. */
const READS_AT_ONCE = 8

/** Throws `service.missing`, `object.changed`, `object.malformed`. */
export async function readInput(job: Job, objects: Objects, signal: AbortSignal): Promise<JobInput> {
  const { namespace, bucket, object, etag } = job
  const ref = { namespace, bucket, name: object }
  const prefix = await objects.read(ref, { start: 0, end: SEAL_PREFIX_BYTES - 1 }, etag, signal)
  if (!isSetRecord(prefix)) return { set: undefined, objects: [sealedInput(ref, etag, prefix)] }
  // One byte more than allowed tells whether there are more.
  const whole = await objects.read(ref, { start: 0, end: SET_RECORD_BYTES }, etag, signal)
  const set = readSetRecord(whole)
  return { set, objects: await readMembers(set, ref, objects, signal) }
}

async function readMembers(
  set: string,
  { namespace, bucket, name }: ObjectRef,
  objects: Objects,
  signal: AbortSignal,
): Promise<readonly SealedInput[]> {
  const { payload: record } = peekCompact(SetRecordFormat, set, 'object.malformed')
  if (record.name !== name)
    throw new CodedError('object.misplaced', `the set record of ${record.name} is stored as ${name}`)
  const reads = new PQueue({ concurrency: READS_AT_ONCE })
  return await reads.addAll(
    record.members.map(({ sealId }) => async () => {
      const ref = { namespace, bucket, name: memberName(record.set, sealId) }
      const { etag } = await objects.head(ref, undefined, signal)
      const range = { start: 0, end: SEAL_PREFIX_BYTES - 1 }
      return sealedInput(ref, etag, await objects.read(ref, range, etag, signal))
    }),
  )
}

function sealedInput(ref: ObjectRef, etag: string, prefix: Uint8Array): SealedInput {
  const { headerJws, offset } = readSealHeader(prefix)
  return { ref, etag, header: headerJws, offset }
}

/** What the Verifier is asked about this input. */
export function releaseJobOf({ traceparent }: Job, { set, objects }: JobInput): ReleaseJob {
  return {
    ...(set !== undefined && { set }),
    traceparent,
    objects: objects.map(({ ref: { bucket, name }, etag, header }) => ({ header, bucket, name, etag })),
  }
}

export function headerDigestsOf({ objects }: JobInput): readonly string[] {
  return objects.map(({ header }) => toBase64url(headerDigest(header)))
}

/** For the evidence of a job that is not to run again: what it was about, if that can still be read. */
export async function findHeaderDigests(
  job: Job,
  objects: Objects,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    return headerDigestsOf(await readInput(job, objects, signal))
  } catch {
    return []
  }
}
