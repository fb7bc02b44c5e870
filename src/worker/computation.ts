/** A granted job: open the object as a stream, keep what the grant allows, run the workload, publish its result. */
import type { EvidenceLog } from '#adapters/evidence/log.ts'
import { CodedError } from '#core/errors.ts'
import { noteDigest } from '#core/evidence/note.ts'
import type { Job } from '#core/job/job.ts'
import { peekCompact } from '#core/jws.ts'
import type { AcceptedGrant } from '#core/release/accept.ts'
import { pseudonymKey } from '#core/release/idKey.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import type { ObjectKeys } from '#core/release/wrap.ts'
import { SealHeaderFormat } from '#core/sealed/header.ts'
import { openObject, readSealHeader, SEAL_PREFIX_BYTES } from '#core/sealed/object.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'
import type { WorkerMetrics } from './metrics.ts'
import { findResult, type Press, type Published, publish, supersede } from './publication.ts'
import { findWorkload } from './workloads/registry.ts'
import { runWorkload } from './workloads/run.ts'
import type { Workload } from './workloads/workload.ts'

export type Workshop = Press & {
  readonly workloads: readonly Workload[]
  readonly metrics: WorkerMetrics
}

/** The head of a sealed object, as read for the request: unverified, until a grant names its digest. */
export type ObjectHeader = {
  readonly release: ReleaseJob
  readonly headerJws: string
  readonly offset: number
}

/** Throws `service.missing`, `object.changed`, `object.malformed`. */
export async function readHeader(job: Job, store: ObjectStore, signal: AbortSignal): Promise<ObjectHeader> {
  const prefix = await store.read(refOf(job), { start: 0, end: SEAL_PREFIX_BYTES - 1 }, job.etag, signal)
  const { headerJws, offset } = readSealHeader(prefix)
  const { bucket, object: name, etag } = job
  return { release: { objects: [{ header: headerJws, bucket, name, etag }] }, headerJws, offset }
}

/** What the worker now holds, in its log before anything is opened with it. */
export function recordGrant(job: Job, { grant, grantDigest }: AcceptedGrant, evidence: EvidenceLog): void {
  evidence.append({
    event: 'key.received',
    jobId: job.jobId,
    traceparent: job.traceparent,
    releaseId: grant.releaseId,
    grantDigest,
    headerDigests: grant.objects.map(({ headerDigest }) => headerDigest),
    verifier: {
      boot: grant.log.boot,
      index: grant.log.index,
      checkpointDigest: noteDigest(grant.log.checkpoint),
    },
  })
}

/**
 * Throws the code of whatever failed. No byte of the object is in a result unless the whole of it opened, and nothing opens
 * where a result of the same work stands already.
 */
export async function compute(
  job: Job,
  header: ObjectHeader,
  answer: { readonly accepted: AcceptedGrant; readonly openKeys: () => readonly ObjectKeys[] },
  workshop: Workshop,
  signal: AbortSignal,
): Promise<Published> {
  const { accepted } = answer
  const standing = await findResult(accepted, workshop, signal)
  if (standing !== undefined) return supersede(accepted, standing, workshop)
  const workload = findWorkload(workshop.workloads, accepted.grant.workload)
  const computed = await open(job, header, answer, workload, workshop, signal)
  expectInForce(accepted, workshop)
  return publish(accepted, { ...computed, contentType: workload.contentType }, workshop, signal)
}

async function open(
  job: Job,
  header: ObjectHeader,
  {
    accepted,
    openKeys,
  }: { readonly accepted: AcceptedGrant; readonly openKeys: () => readonly ObjectKeys[] },
  workload: Workload,
  { store, cipher, memory, metrics }: Workshop,
  signal: AbortSignal,
) {
  const { size } = peekCompact(SealHeaderFormat, header.headerJws, 'object.malformed').payload
  const opened = openKeys()
  const secrets = opened.flatMap(({ dek, idKey }) => [dek, idKey])
  try {
    const [keys, ...more] = opened
    if (keys === undefined || more.length > 0)
      throw new CodedError('internal.fault', 'a job of one object has one pair of keys')
    const pseudonyms = pseudonymKey(keys.idKey, accepted.grant, memory)
    secrets.push(pseudonyms)
    const { chunks } = await store.stream(refOf(job), { etag: job.etag, start: header.offset, signal })
    const plaintext = openObject({
      headerJws: header.headerJws,
      size,
      dek: keys.dek,
      chunks,
      cipher,
      ownership: 'lent',
    })
    return await runWorkload(counted(plaintext, metrics.opened), accepted.grant, pseudonyms, workload)
  } finally {
    for (const secret of secrets) memory.free(secret)
  }
}

/** Says how far it came, as it comes. */
async function* counted(chunks: AsyncIterable<Uint8Array>, count: (bytes: number) => void) {
  for await (const chunk of chunks) {
    count(chunk.byteLength)
    yield chunk
  }
}

/** A grant may run out while a large object is worked on: then there is no result. */
function expectInForce({ grant }: AcceptedGrant, { time }: Workshop): void {
  if (time.now() >= grant.exp)
    throw new CodedError('grant.expired', 'the grant ran out before the result was ready')
}

function refOf({ namespace, bucket, object }: Job): ObjectRef {
  return { namespace, bucket, name: object }
}
