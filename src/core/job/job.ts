/**
 * Job v1: a reference to an object, at most 4 KiB of JSON on the stream. It is only a hint: every decision
 * rests on documents that the provider has signed. `eventId`, `enqueuedAt` and `size` are for operators; no
 * program reads them.
 */
import { z } from 'zod'
import { sha256, toHex } from '../bytes.ts'
import { canonicalBytes, defineFormat } from '../canonical.ts'
import {
  bucketName,
  count,
  etag,
  namespaceName,
  objectName,
  randomId,
  time,
  traceparent,
  version1,
} from '../fields.ts'

const Schema = z.strictObject({
  v: version1,
  jobId: randomId,
  eventId: z.string().min(1).max(128),
  namespace: namespaceName,
  bucket: bucketName,
  object: objectName,
  etag,
  size: count,
  traceparent,
  enqueuedAt: time,
  /**
   * The job does not run before this time. It is 0 on the first publication and later if the job was put
   * back.
   */
  notBefore: time,
})
export type Job = z.output<typeof Schema>

export const JobFormat = defineFormat({
  name: 'job',
  maxBytes: 4096,
  code: 'job.malformed',
  schema: Schema.refine((job) => job.jobId === jobIdOf(job), 'must have the jobId of its object version'),
})

/**
 * One job per object version: a duplicate event gives the same id, so attempts are counted across duplicates.
 */
export function jobIdOf(object: Pick<Job, 'namespace' | 'bucket' | 'object' | 'etag'>): string {
  const { namespace, bucket, object: name, etag: tag } = object
  return toHex(sha256(canonicalBytes([namespace, bucket, name, tag]))).slice(0, 32)
}
