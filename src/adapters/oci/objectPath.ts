/** Names and answers as the SDK has them, in our own terms. */
import { z } from 'zod'
import { checkShape } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import type { ObjectHead, ObjectRef } from '#ports/objectStore.ts'

export type ObjectPath = {
  readonly namespaceName: string
  readonly bucketName: string
  readonly objectName: string
}

export function toPath({ namespace, bucket, name }: ObjectRef): ObjectPath {
  // As a path segment these two are no names but directions.
  if (name === '.' || name === '..') throw new CodedError('service.failed', 'an object name of dots alone')
  return { namespaceName: namespace, bucketName: bucket, objectName: name }
}

const Head = z.object({
  eTag: z.string().min(1).max(256),
  contentLength: z.int().min(0),
  contentType: z.string().optional(),
})

/** Of headObject, or of the headers of getObject under the same names. */
export function toHead(answer: unknown): ObjectHead {
  const { eTag, contentLength, contentType } = checkShape(Head, answer, 'object headers', 'service.failed')
  return { etag: eTag, size: contentLength, contentType }
}

export function toEtag(eTag: unknown, operation: string): { readonly etag: string } {
  if (typeof eTag !== 'string' || eTag === '')
    throw new CodedError('service.failed', `${operation} gave no entity tag`)
  return { etag: eTag }
}

export function wrongSize(size: number): CodedError {
  return new CodedError('internal.fault', `a stream that should have ${size} bytes has another number`)
}
