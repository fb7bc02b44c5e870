/**
 * A granted job: open its objects as streams, one after the other, keep what the grant allows, run the workload, publish its
 * result.
 */
import type { EvidenceLog } from '#adapters/evidence/log.ts'
import { CodedError } from '#core/errors.ts'
import { noteDigest } from '#core/evidence/note.ts'
import type { Job } from '#core/job/job.ts'
import { peekCompact } from '#core/jws.ts'
import type { AcceptedGrant } from '#core/release/accept.ts'
import { outputDigestOf, type UseKeys, useKeysOf } from '#core/release/idKey.ts'
import { SealHeaderFormat } from '#core/sealed/header.ts'
import { openObject } from '#core/sealed/object.ts'
import type { GrantedJob } from './attester.ts'
import type { Boot } from './boot.ts'
import { readWithdrawn } from './consent.ts'
import type { JobInput, SealedInput } from './input.ts'
import {
  type Announced,
  announce,
  findResult,
  type PublicationBoot,
  type Published,
  supersede,
} from './publication.ts'
import { findWorkload } from './workloads/registry.ts'
import { type Computed, runWorkload } from './workloads/run.ts'
import type { Workload } from './workloads/workload.ts'

type ComputationBoot = PublicationBoot & Pick<Boot, 'objects' | 'workloads' | 'metrics'>

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
 * Computes and announces the result of a granted job; `show` makes it visible. If a result of the same work exists, the object is not
 * opened. A result holds no byte of an object unless all objects of the job opened as a whole. Throws the code
 * of the step that failed.
 */
export async function compute(
  { traceparent }: Pick<Job, 'traceparent'>,
  input: JobInput,
  granted: GrantedJob,
  boot: ComputationBoot,
  signal: AbortSignal,
): Promise<Announced | Published> {
  const { accepted } = granted
  const existing = await findResult(accepted, boot, signal)
  if (existing !== undefined) return supersede(accepted, existing, boot)
  const workload = findWorkload(boot.workloads, accepted.grant.workload)
  const computed = await openAndRun(input, granted, workload, boot, signal)
  expectInForce(accepted, boot)
  const { contentType } = workload
  return announce(accepted, { ...computed, contentType, traceparent }, boot, signal)
}

async function openAndRun(
  { objects }: JobInput,
  granted: GrantedJob,
  workload: Workload,
  boot: ComputationBoot,
  signal: AbortSignal,
): Promise<Computed & { readonly outputDigest: string }> {
  const { memory } = boot
  const { grant } = granted.accepted
  const withdrawn = await readWithdrawn(granted, boot, signal)
  // One identity key per dataset, and so one pseudonym per patient of a set.
  const keys = granted.openKeys(0)
  memory.free(keys.dek)
  let uses: UseKeys
  try {
    uses = useKeysOf(keys.idKey, grant, memory)
  } finally {
    memory.free(keys.idKey)
  }
  try {
    const contents = objects.map((object, index) => contentOf(object, index, granted, boot, signal))
    const computed = await runWorkload(contents, grant, uses.pseudonym, workload, withdrawn)
    return { ...computed, outputDigest: outputDigestOf(computed.output, uses.output) }
  } finally {
    memory.free(uses.pseudonym)
    memory.free(uses.output)
    withdrawn?.wipe()
  }
}

/** The content of one object. Its key is in memory only while it is read. */
async function* contentOf(
  { ref, etag, header, offset }: SealedInput,
  index: number,
  { openKeys }: GrantedJob,
  { objects, cipher, memory, metrics }: ComputationBoot,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { size } = peekCompact(SealHeaderFormat, header, 'object.malformed').payload
  const { dek, idKey } = openKeys(index)
  memory.free(idKey)
  try {
    const { chunks } = await objects.stream(ref, { etag, start: offset, signal })
    const content = openObject({ headerJws: header, size, dek, chunks, cipher, ownership: 'lent' })
    yield* counted(content, metrics.opened)
  } finally {
    memory.free(dek)
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
