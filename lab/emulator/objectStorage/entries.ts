/** The records of Object Storage's journal. */
import { z } from 'zod'

/** A file with bytes of an object. It never changes once the journal names it. */
const Segment = z.strictObject({ file: z.string(), size: z.int().min(0) })
export type Segment = z.output<typeof Segment>

const StoredObject = z.strictObject({
  name: z.string(),
  etag: z.string(),
  size: z.int().min(0),
  /** In base64. For a multipart object: `<MD5 of the parts' MD5s>-<number of parts>`. */
  md5: z.string(),
  multipart: z.boolean(),
  /** In base64, if the writer asked for it. */
  sha256: z.string().optional(),
  contentType: z.string(),
  /** `opc-meta-*` headers, with the prefix. */
  meta: z.record(z.string(), z.string()),
  /** Milliseconds since the epoch. */
  createdAt: z.number(),
  modifiedAt: z.number(),
  segments: z.array(Segment),
})
export type StoredObject = z.output<typeof StoredObject>

const Part = z.strictObject({
  number: z.int().min(1).max(10_000),
  etag: z.string(),
  md5: z.string(),
  segment: Segment,
})
export type Part = z.output<typeof Part>

const Upload = z.strictObject({
  id: z.string(),
  bucketId: z.string(),
  name: z.string(),
  contentType: z.string(),
  meta: z.record(z.string(), z.string()),
  /** True if the upload began with `if-none-match: *`. */
  onlyNew: z.boolean(),
  createdAt: z.number(),
})
export type Upload = z.output<typeof Upload>

/** An event and the rules whose functions must still receive it. */
const Emission = z.strictObject({
  event: z.looseObject({ eventID: z.string(), data: z.looseObject({ resourceName: z.string() }) }),
  ruleIds: z.array(z.string()),
})
export type Emission = z.output<typeof Emission>

/** A change and its event share one record, so neither is ever durable without the other. */
export const Entry = z.discriminatedUnion('op', [
  z.strictObject({
    op: z.literal('put'),
    bucketId: z.string(),
    object: StoredObject,
    /** The multipart upload that this record commits. */
    uploadId: z.string().optional(),
    emission: Emission.optional(),
  }),
  z.strictObject({
    op: z.literal('delete'),
    bucketId: z.string(),
    name: z.string(),
    emission: Emission.optional(),
  }),
  z.strictObject({ op: z.literal('upload'), upload: Upload }),
  z.strictObject({ op: z.literal('part'), uploadId: z.string(), part: Part }),
  z.strictObject({ op: z.literal('abort'), uploadId: z.string() }),
  z.strictObject({ op: z.literal('emit'), emission: Emission }),
  z.strictObject({ op: z.literal('delivered'), eventId: z.string(), ruleId: z.string() }),
])
export type Entry = z.output<typeof Entry>
