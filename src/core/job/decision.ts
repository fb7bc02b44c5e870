/** What the ingest function decided on an event, allowed and denied alike: written once to the consumer's bucket. */
import { z } from 'zod'
import { sha256, toBase64url, toHex, utf8 } from '../bytes.ts'
import { defineFormat } from '../canonical.ts'
import { isErrorCode } from '../errors.ts'
import { etag, objectName, randomId, sha256Digest, time, traceparent, version1 } from '../fields.ts'

const Schema = z.strictObject({
  v: version1,
  /** SHA-256 of the event's id, or of the whole body where it has none that can be read. */
  eventDigest: sha256Digest,
  /** What is refused is not named: its words may be anybody's. */
  outcome: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('published'), jobId: randomId, object: objectName, etag, traceparent }),
    z.strictObject({ kind: z.literal('refused'), code: z.string().refine(isErrorCode, 'must be a code') }),
  ]),
  decidedAt: time,
})
export type IngestDecision = z.output<typeof Schema>

export const IngestDecisionFormat = defineFormat({
  name: 'ingest decision',
  maxBytes: 2048,
  code: 'record.malformed',
  schema: Schema,
})

/** One decision an event, however often it comes; `text` is its id, or else the bytes that came. */
export function eventDigest(text: string | Uint8Array): string {
  return toBase64url(
    sha256(utf8(typeof text === 'string' ? 'id:' : 'body:'), typeof text === 'string' ? utf8(text) : text),
  )
}

export function decisionName(digest: string): string {
  return `decision/${toHex(Buffer.from(digest, 'base64url'))}`
}
