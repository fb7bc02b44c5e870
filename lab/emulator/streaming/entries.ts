/** The records of Streaming's journal. */
import { z } from 'zod'
import { ocid } from '#core/fields.ts'

const offset = z.int().min(0)
const place = { stream: ocid, partition: z.int().min(0) }

export const StreamEntry = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('put'),
    ...place,
    offset,
    /** In base64, as sent. */
    key: z.string().nullable(),
    value: z.string(),
    /** Milliseconds since the epoch. */
    time: z.int(),
  }),
  /** The offset of the next message, for a partition whose messages have all expired. */
  z.strictObject({ kind: z.literal('end'), ...place, offset }),
  /** The offset where a group continues. The first commit creates the group. */
  z.strictObject({ kind: z.literal('commit'), ...place, group: z.string(), offset }),
  /** A reservation with the epoch that its cursors carry. Without an instance, the end of a reservation. */
  z.strictObject({
    kind: z.literal('reserve'),
    ...place,
    group: z.string(),
    instance: z.string().nullable(),
    epoch: z.string(),
    timeoutMs: z.int(),
  }),
])
export type StreamEntry = z.output<typeof StreamEntry>
