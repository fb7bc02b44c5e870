/**
 * Cursors, opaque to clients. A cursor carries everything that a consumer has read but not committed. It
 * expires five minutes after issue. It survives a restart, because the service stores nothing about it.
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
  /** The positions that were read and not committed, each with its reservation. */
  read: z.array(z.strictObject({ partition: z.int(), next: z.int(), epoch: z.string() })),
})
const Cursor = z.discriminatedUnion('kind', [PartitionCursor, GroupCursor])

export type GroupCursor = z.output<typeof GroupCursor>

export type Cursor = z.output<typeof Cursor>

/** Base64 with `+`, `/` and `=`, like OCI's cursors. */
export function encodeCursor(cursor: Cursor, now: number): string {
  return Buffer.from(JSON.stringify({ ...cursor, issuedAt: now })).toString('base64')
}

/** Throws 400 if the text is not a cursor of this stream, or is too old. */
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
