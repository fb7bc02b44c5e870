/** Streaming's request bodies, and its own messages for refusals. */
import { z } from 'zod'
import { invalidParameter, OciError } from '#lab/emulator/service.ts'

export const MAX_MESSAGE_BYTES = 1024 * 1024
const MAX_KEY_BYTES = 256

const instant = z
  .string()
  .transform((text) => Date.parse(text))
  .refine((time) => Number.isFinite(time), 'must be an RFC 3339 time')
const offset = z.int().min(0)

const horizonStart = z.strictObject({ type: z.literal('TRIM_HORIZON') })
const latestStart = z.strictObject({ type: z.literal('LATEST') })
const timeStart = z.strictObject({ type: z.literal('AT_TIME'), time: instant })
const atStart = z.strictObject({ type: z.literal('AT_OFFSET'), offset })
const afterStart = z.strictObject({ type: z.literal('AFTER_OFFSET'), offset })

export type CursorStart = z.output<
  typeof horizonStart | typeof latestStart | typeof timeStart | typeof atStart | typeof afterStart
>

const groupName = z.string().regex(/^[A-Za-z0-9_.:-]{1,256}$/, 'must be a group or instance name')
const partition = { partition: z.string().regex(/^\d{1,4}$/, 'must be a partition') }
const group = {
  groupName,
  instanceName: groupName.optional(),
  timeoutInMs: z.int().min(1).max(3_600_000).default(30_000),
  commitOnGet: z.boolean().default(true),
}

export const CreateCursor = z.discriminatedUnion('type', [
  horizonStart.extend(partition),
  latestStart.extend(partition),
  timeStart.extend(partition),
  atStart.extend(partition),
  afterStart.extend(partition),
])
export const CreateGroupCursor = z.discriminatedUnion('type', [
  horizonStart.extend(group),
  latestStart.extend(group),
  timeStart.extend(group),
])
export const UpdateGroup = z.discriminatedUnion('type', [horizonStart, latestStart, timeStart])

const Base64 = z.string().refine((text) => toBytes(text).toString('base64') === text, 'must be base64')
export const PutMessages = z.strictObject({
  messages: z
    .array(
      z.strictObject({
        key: Base64.refine((text) => toBytes(text).byteLength <= MAX_KEY_BYTES, 'must have at most 256 bytes')
          .nullish()
          .transform((key) => key ?? null),
        value: Base64,
      }),
    )
    .min(1),
})

export function toBytes(base64: string): Buffer {
  return Buffer.from(base64, 'base64')
}

export const invalidCursor = (): OciError => invalidParameter('The cursor is invalid. Create a new one.')
export const outsideRetention = (): OciError =>
  invalidParameter('The cursor is outside the retention period and is now invalid.')
export const unreserved = (): OciError => invalidParameter('Trying to commit unreserved partition')
export const tooLarge = (): OciError => invalidParameter('Request size is limited to 1 MiB')
export const tooMany = (): OciError =>
  new OciError(429, 'TooManyRequests', 'The rate limit of the stream was exceeded.')
