/**
 * Job v1: a reference to an object, at most 4 KiB of JSON on the stream. It is a hint; nothing in it is believed, and
 * whatever matters is read again from what the provider has signed.
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
  /** Not to be run before this time; 0 on the first publication, later where a job was put back. */
  notBefore: time,
})
export type Job = z.output<typeof Schema>

export const JobFormat = defineFormat({ name: 'job', maxBytes: 4096, code: 'job.malformed', schema: Schema })

/** One object version, one job: a duplicate event gives the same id, so attempts are counted across duplicates. */
export function jobIdOf(object: Pick<Job, 'namespace' | 'bucket' | 'object' | 'etag'>): string {
  const { namespace, bucket, object: name, etag: tag } = object
  return toHex(sha256(canonicalBytes([namespace, bucket, name, tag]))).slice(0, 32)
}
