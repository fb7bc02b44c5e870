/**
 * Dead letter v1: a message that was set aside, and the reason. It suffices to put the message back by hand.
 * It contains the message itself only up to the size of a job.
 */
import { z } from 'zod'
import { sha256, toBase64url } from '../bytes.ts'
import { defineFormat } from '../canonical.ts'
import { type ErrorCode, isErrorCode } from '../errors.ts'
import { base64urlBytes, boot, count, randomId, sha256Digest, time, version1 } from '../fields.ts'
import type { UnixSeconds } from '../time.ts'
import { type Job, JobFormat } from './job.ts'

const Schema = z.strictObject({
  v: version1,
  /** Null if the message was not a job. */
  jobId: randomId.nullable(),
  code: z.string().refine(isErrorCode, 'must be a code of docs/errors.md'),
  attempts: count,
  boot,
  deadAt: time,
  /** SHA-256 and size of the message, and the message itself if it is no longer than a job may be. */
  digest: sha256Digest,
  size: count,
  message: base64urlBytes(0, JobFormat.maxBytes).nullable(),
})

export const DeadLetterFormat = defineFormat({
  name: 'dead letter',
  maxBytes: 8192,
  code: 'job.malformed',
  schema: Schema,
})

export function deadLetterOf(
  message: Uint8Array,
  about: {
    readonly jobId: string | null
    readonly code: ErrorCode
    readonly attempts: number
    readonly boot: string
    readonly deadAt: UnixSeconds
  },
): Buffer {
  const { jobId, code, attempts, boot: id, deadAt } = about
  return DeadLetterFormat.encode({
    v: 1,
    jobId,
    code,
    attempts,
    boot: id,
    deadAt,
    digest: toBase64url(sha256(message)),
    size: message.byteLength,
    message: message.byteLength <= JobFormat.maxBytes ? toBase64url(message) : null,
  })
}

export type DeadLetter = z.output<typeof Schema>

/** The job that was set aside; undefined if the message was no job, or is not that of the letter. */
export function jobOfLetter({ jobId, message, digest }: DeadLetter): Job | undefined {
  if (jobId === null || message === null) return undefined
  const bytes = Buffer.from(message, 'base64url')
  if (toBase64url(sha256(bytes)) !== digest) return undefined
  try {
    const job = JobFormat.decode(bytes)
    return job.jobId === jobId ? job : undefined
  } catch {
    return undefined
  }
}
