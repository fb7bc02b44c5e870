/** Object names and answers, translated between the SDK's fields and the port's. */
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
  // As a segment of the URL's path these would be path traversal.
  for (const segment of [namespace, bucket, name])
    if (segment === '.' || segment === '..')
      throw new CodedError('service.failed', 'an object, bucket or namespace is named . or ..')
  return { namespaceName: namespace, bucketName: bucket, objectName: name }
}

const Head = z.object({
  eTag: z.string().min(1).max(256),
  contentLength: z.int().min(0),
  contentType: z.string().optional(),
})

/** Reads the answer of headObject, or the headers of getObject under the same names. */
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
  return new CodedError('internal.fault', `a stream does not have the ${size} bytes that were announced`)
}
