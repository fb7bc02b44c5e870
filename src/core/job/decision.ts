/**
 * The ingest function's decision on an event, published or refused: written once to the consumer's bucket.
 */
import { z } from 'zod'
import { sha256, toBase64url, toHex, utf8 } from '../bytes.ts'
import { defineFormat } from '../canonical.ts'
import { isErrorCode } from '../errors.ts'
import { etag, objectName, randomId, sha256Digest, time, traceparent, version1 } from '../fields.ts'

const Schema = z.strictObject({
  v: version1,
  /** SHA-256 of the event's id, or of the whole body if it has no readable id. */
  eventDigest: sha256Digest,
  /** A refused event is not named: any sender can choose its words. */
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

/** One decision per event, however often it arrives. `text` is its id, or else the received bytes. */
export function eventDigest(text: string | Uint8Array): string {
  return toBase64url(typeof text === 'string' ? sha256(utf8(`id:${text}`)) : sha256(utf8('body:'), text))
}

export function decisionName(digest: string): string {
  return `decision/${toHex(Buffer.from(digest, 'base64url'))}`
}
