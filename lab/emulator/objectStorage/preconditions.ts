/** `if-match`, `if-none-match`, ranges and retention, as Object Storage reads them. */
import type { IncomingHttpHeaders } from 'node:http'
import { OciError } from '#lab/emulator/service.ts'
import type { Bucket } from './buckets.ts'
import type { StoredObject } from './entries.ts'

/** For reads and deletes of an existing object. Throws 412, or 304 if the client has this version already. */
export function checkRead(object: StoredObject, headers: IncomingHttpHeaders): void {
  checkMatch(object, headers)
  if (headers['if-none-match'] === object.etag || headers['if-none-match'] === '*')
    throw new OciError(304, 'NotModified', 'the object has not changed')
}

/** For writes. The object may not exist yet. Throws 412 or 400. */
export function checkWrite(object: StoredObject | undefined, headers: IncomingHttpHeaders): void {
  const ifNoneMatch = headers['if-none-match']
  if (ifNoneMatch !== undefined && ifNoneMatch !== '*')
    throw new OciError(400, 'InvalidParameter', 'if-none-match of a write must be *')
  if (ifNoneMatch === '*' && object !== undefined)
    throw new OciError(412, 'IfNoneMatchFailed', `The If-None-Match header is '*' but the object exists`)
  checkMatch(object, headers)
}

function checkMatch(object: StoredObject | undefined, headers: IncomingHttpHeaders): void {
  const ifMatch = headers['if-match']
  if (ifMatch === undefined || (ifMatch === '*' && object !== undefined)) return
  if (ifMatch !== object?.etag)
    throw new OciError(412, 'IfMatchFailed', 'The If-Match header does not match the object')
}

/** Throws 409 while the bucket's retention rule protects the object. */
export function checkRetention(bucket: Bucket, object: StoredObject | undefined, now: number): void {
  if (object !== undefined && now < object.modifiedAt + bucket.retentionSeconds * 1000)
    throw new OciError(
      409,
      'RetentionRuleViolation',
      `A retention rule of bucket '${bucket.name}' protects the object`,
    )
}

export type ByteRange = { readonly start: number; readonly end: number }

/**
 * `bytes=a-b`, `bytes=a-` or `bytes=-n`, cut to the size. Throws 416 if nothing is left; undefined without a
 * header.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | undefined {
  if (header === undefined) return undefined
  const match = /^bytes=(\d*)-(\d*)$/.exec(header)
  const [, first = '', last = ''] = match ?? []
  const invalid = new OciError(
    416,
    'InvalidRange',
    `The range ${header} is not satisfiable for ${size} bytes`,
  )
  if (match === null || (first === '' && last === '')) throw invalid
  const start = first === '' ? Math.max(size - Number(last), 0) : Number(first)
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (start > end || start >= size) throw invalid
  return { start, end }
}
