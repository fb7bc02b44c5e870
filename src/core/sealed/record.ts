/**
 * The seal record v1: the provider's statement about an upload, written once to the governance bucket after
 * it.
 */
import { z } from 'zod'
import { defineFormat } from '../canonical.ts'
import {
  bucketName,
  count,
  etag,
  namespaceName,
  objectName,
  sealId,
  sha256Digest,
  time,
  version1,
} from '../fields.ts'
import { defineSigned } from '../jws.ts'

const Schema = z.strictObject({
  v: version1,
  sealId,
  headerDigest: sha256Digest,
  /** SHA-256 and size of the whole object as uploaded, magic and header included. */
  objectDigest: sha256Digest,
  size: count,
  namespace: namespaceName,
  bucket: bucketName,
  object: objectName,
  etag,
  recordedAt: time,
})
export type SealRecord = z.output<typeof Schema>

export const SealRecordFormat = defineSigned(
  'cw-seal-record',
  defineFormat({ name: 'seal record', maxBytes: 4096, code: 'record.malformed', schema: Schema }),
)

export function sealRecordName(id: string): string {
  return `seal/${id}`
}
