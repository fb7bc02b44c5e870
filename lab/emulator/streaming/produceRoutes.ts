/** The route that puts messages into a stream. */
import { sha256 } from '#core/bytes.ts'
import type { Faults } from '#lab/emulator/faults.ts'
import type { Permission } from '#lab/emulator/policy/permissions.ts'
import { decodeBody } from '#lab/emulator/requestBody.ts'
import type { Access, Route, ServiceRequest } from '#lab/emulator/service.ts'
import type { Rates } from './rates.ts'
import { MAX_MESSAGE_BYTES, PutMessages, toBytes, tooLarge, tooMany } from './requests.ts'
import type { Stream, Streams } from './streams.ts'

export type StreamParts = {
  readonly streams: Streams
  readonly rates: Rates
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly faults: Pick<Faults, 'take'>
}

/** One MiB of messages as base64 in JSON, with room for keys and punctuation. */
const MAX_BODY_BYTES = 4 * MAX_MESSAGE_BYTES
/** A partition accepts one MiB per second. */
const PARTITION_BYTES_PER_SECOND = 1024 * 1024
const THROTTLED = { error: 'TooManyRequests', errorMessage: 'The partition is being written to too fast.' }

export function produceRoutes(parts: StreamParts): readonly Route[] {
  let turn = 0
  const choose = (stream: Stream, key: string | null): number => {
    if (key !== null) return sha256(toBytes(key)).readUInt32BE() % stream.partitions
    turn += 1
    return turn % stream.partitions
  }

  return [
    {
      method: 'POST',
      pattern: '/20180418/streams/:streamId/messages',
      body: 'bytes',
      maxBodyBytes: MAX_BODY_BYTES,
      bodyUnsigned: true,
      access: (request) => streamAccess(parts, request, 'STREAM_PRODUCE'),
      handle: (request) => {
        const stream = streamOf(parts, request)
        const { messages } = decodeBody(PutMessages, request.body)
        const sizes = messages.map(({ key, value }) => sizeOf(key) + sizeOf(value))
        if (sizes.reduce((sum, size) => sum + size) > MAX_MESSAGE_BYTES) throw tooLarge()
        const entries = messages.map(({ key, value }, index) => {
          const partition = choose(stream, key)
          const what = `bytes ${stream.id} ${partition}`
          if (!parts.rates.take(what, sizes[index] ?? 0, PARTITION_BYTES_PER_SECOND)) return THROTTLED
          const { offset, time } = parts.streams.put(stream, partition, key, value)
          return { partition: String(partition), offset, timestamp: new Date(time).toISOString() }
        })
        const failures = entries.filter((entry) => 'error' in entry).length
        // If some messages are throttled, the answer is 200 with failures; if all are, 429.
        if (failures === entries.length) throw tooMany()
        return { status: 200, json: { failures, entries } }
      },
    },
  ]
}

export function streamOf({ streams }: StreamParts, { params }: ServiceRequest): Stream {
  return streams.find(params['streamId'] ?? '')
}

export function streamAccess(parts: StreamParts, request: ServiceRequest, permission: Permission): Access {
  const { id, compartmentId } = streamOf(parts, request)
  return { permissions: [permission], compartmentId, variables: { 'target.stream.id': id } }
}

function sizeOf(base64: string | null): number {
  return base64 === null ? 0 : toBytes(base64).byteLength
}
