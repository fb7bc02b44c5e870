/**
 * A granted job: open the object as a stream, keep what the grant allows, run the workload, publish its
 * result.
 */
import type { EvidenceLog } from '#adapters/evidence/log.ts'
import { CodedError } from '#core/errors.ts'
import { noteDigest } from '#core/evidence/note.ts'
import type { Job } from '#core/job/job.ts'
import { peekCompact } from '#core/jws.ts'
import type { AcceptedGrant } from '#core/release/accept.ts'
import { pseudonymKey } from '#core/release/idKey.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import { SealHeaderFormat } from '#core/sealed/header.ts'
import { openObject, readSealHeader, SEAL_PREFIX_BYTES } from '#core/sealed/object.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'
import type { GrantedJob } from './attester.ts'
import type { Boot } from './boot.ts'
import { findResult, type PublicationBoot, type Published, publish, supersede } from './publication.ts'
import { findWorkload } from './workloads/registry.ts'
import { type Computed, runWorkload } from './workloads/run.ts'
import type { Workload } from './workloads/workload.ts'

type ComputationBoot = PublicationBoot & Pick<Boot, 'objects' | 'workloads' | 'metrics'>

/** The head of a sealed object, as read for the request. It is unverified until a grant names its digest. */
export type ObjectHeader = {
  /** Compact JWS, exactly as it lies in the object. */
  readonly jws: string
  /** Where the ciphertext begins. */
  readonly offset: number
}

/** Throws `service.missing`, `object.changed`, `object.malformed`. */
export async function readHeader(
  job: Job,
  objects: Pick<ObjectStore, 'read'>,
  signal: AbortSignal,
): Promise<ObjectHeader> {
  const prefix = await objects.read(refOf(job), { start: 0, end: SEAL_PREFIX_BYTES - 1 }, job.etag, signal)
  const { headerJws, offset } = readSealHeader(prefix)
  return { jws: headerJws, offset }
}

/** What the Verifier is asked about this object. */
export function releaseJobOf({ bucket, object, etag, traceparent }: Job, { jws }: ObjectHeader): ReleaseJob {
  return { traceparent, objects: [{ header: jws, bucket, name: object, etag }] }
}

/** Records the keys that the worker now holds. This precedes the first use of any of them. */
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
 * Computes and publishes the result of a granted job. If a result of the same work exists, the object is not
 * opened. A result holds no byte of the object unless the whole object opened. Throws the code of the step
 * that failed.
 */
export async function compute(
  job: Job,
  header: ObjectHeader,
  granted: GrantedJob,
  boot: ComputationBoot,
  signal: AbortSignal,
): Promise<Published> {
  const { accepted } = granted
  const existing = await findResult(accepted, boot, signal)
  if (existing !== undefined) return supersede(accepted, existing, boot)
  const workload = findWorkload(boot.workloads, accepted.grant.workload)
  const { output, counts } = await openAndRun(job, header, granted, workload, boot, signal)
  expectInForce(accepted, boot)
  const { traceparent } = job
  const { contentType } = workload
  return publish(accepted, { output, counts, contentType, traceparent }, boot, signal)
}

async function openAndRun(
  job: Job,
  header: ObjectHeader,
  { accepted, openKeys }: GrantedJob,
  workload: Workload,
  { objects, cipher, memory, metrics }: ComputationBoot,
  signal: AbortSignal,
): Promise<Computed> {
  const { size } = peekCompact(SealHeaderFormat, header.jws, 'object.malformed').payload
  const opened = openKeys()
  const secrets = opened.flatMap(({ dek, idKey }) => [dek, idKey])
  try {
    const [keys, ...more] = opened
    if (keys === undefined || more.length > 0)
      throw new CodedError('internal.fault', 'a job of one object has one pair of keys')
    const pseudonyms = pseudonymKey(keys.idKey, accepted.grant, memory)
    secrets.push(pseudonyms)
    const { chunks } = await objects.stream(refOf(job), { etag: job.etag, start: header.offset, signal })
    const plaintext = openObject({
      headerJws: header.jws,
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

/** Passes the chunks through and counts them. */
async function* counted(chunks: AsyncIterable<Uint8Array>, count: (bytes: number) => void) {
  for await (const chunk of chunks) {
    count(chunk.byteLength)
    yield chunk
  }
}

/** A grant may expire while a large object is processed. Then there is no result. */
function expectInForce({ grant }: AcceptedGrant, { time }: Pick<Boot, 'time'>): void {
  if (time.now() >= grant.exp)
    throw new CodedError('grant.expired', 'the grant expired before the result was ready')
}

function refOf({ namespace, bucket, object }: Job): ObjectRef {
  return { namespace, bucket, name: object }
}
