/**
 * Cursors: opaque to clients, and all that the service knows about what a consumer has read but not committed. They
 * expire five minutes after issue and outlive a restart, since nothing about them is kept.
 */
import { z } from 'zod'
import { parseJson } from '#core/canonical.ts'
import { invalidCursor } from './requests.ts'

const LIFE_MS = 5 * 60_000

const PartitionCursor = z.strictObject({
  kind: z.literal('partition'),
  stream: z.string(),
  issuedAt: z.int(),
  partition: z.int(),
  offset: z.int(),
})
const GroupCursor = z.strictObject({
  kind: z.literal('group'),
  stream: z.string(),
  issuedAt: z.int(),
  group: z.string(),
  instance: z.string(),
  timeoutMs: z.int(),
  commitOnGet: z.boolean(),
  /** Read and not committed: where to go on, under which reservation. */
  read: z.array(z.strictObject({ partition: z.int(), next: z.int(), epoch: z.string() })),
})
const Cursor = z.discriminatedUnion('kind', [PartitionCursor, GroupCursor])

export type GroupCursor = z.output<typeof GroupCursor>

export type Cursor = z.output<typeof Cursor>

/** Base64 with its `+`, `/` and `=`, as the cursors of OCI. */
export function encodeCursor(cursor: Cursor, now: number): string {
  return Buffer.from(JSON.stringify({ ...cursor, issuedAt: now })).toString('base64')
}

/** Throws 400 for what is no cursor of this stream, or too old. */
export function decodeCursor(text: string | null, stream: string, now: number): Cursor {
  const cursor = parse(text ?? '')
  if (cursor === undefined || cursor.stream !== stream || now - cursor.issuedAt >= LIFE_MS)
    throw invalidCursor()
  return cursor
}

function parse(text: string): Cursor | undefined {
  try {
    return Cursor.parse(parseJson(Buffer.from(text, 'base64'), 'cursor'))
  } catch {
    return undefined
  }
}
