/** What Streaming writes down. */
import { z } from 'zod'
import { ocid } from '#core/fields.ts'

const offset = z.int().min(0)
const place = { stream: ocid, partition: z.int().min(0) }

export const StreamEntry = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('put'),
    ...place,
    offset,
    /** Base64, as sent. */
    key: z.string().nullable(),
    value: z.string(),
    /** Milliseconds since the epoch. */
    time: z.int(),
  }),
  /** Where the next message goes: for partitions whose messages have all left. */
  z.strictObject({ kind: z.literal('end'), ...place, offset }),
  /** The offset at which a group goes on; the first one makes the group. */
  z.strictObject({ kind: z.literal('commit'), ...place, group: z.string(), offset }),
  /** A reservation, by the epoch that its cursors carry; without an instance, its end. */
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
