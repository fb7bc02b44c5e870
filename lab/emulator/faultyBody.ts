/** Bodies that break on their way: cut, altered by one bit, or slow. The headers stay as they were. */
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from './faults.ts'
import type { ServiceResponse } from './service.ts'

const SLOW_PIECES = 20
const SLOW_PIECE_MS = 500

/**
 * An answer with the fault's body. A body of a stream needs its `content-length`, and every other answer
 * leaves unchanged. The stream of a truncated body ends with an error, which cuts the connection.
 */
export function withBodyFault(
  answer: ServiceResponse,
  body: Fault['body'],
  signal: AbortSignal,
): ServiceResponse {
  if (body !== 'truncated' && body !== 'corrupted' && body !== 'slow') return answer
  const { json, bytes, ...rest } = answer
  const whole = json === undefined ? bytes : Buffer.from(JSON.stringify(json))
  const stream = answer.stream ?? (whole === undefined ? undefined : Readable.from([Buffer.from(whole)]))
  const size = Number(answer.headers?.['content-length'] ?? whole?.byteLength ?? 0)
  if (stream === undefined || size === 0 || answer.status >= 300) return answer
  const headers = {
    ...(json === undefined ? {} : { 'content-type': 'application/json' }),
    ...answer.headers,
    'content-length': String(size),
  }
  return {
    ...rest,
    headers,
    stream: Readable.from(BREAKS[body](stream, size, signal), { objectMode: false }),
  }
}

type Break = (stream: Readable, size: number, signal: AbortSignal) => AsyncGenerator<Buffer>

const BREAKS: Readonly<Record<'truncated' | 'corrupted' | 'slow', Break>> = {
  truncated: async function* (stream, size) {
    let left = Math.floor(size / 2)
    for await (const chunk of chunksOf(stream)) {
      yield chunk.subarray(0, left)
      left -= chunk.byteLength
      if (left <= 0) break
    }
    throw new Error('injected fault')
  },
  // A quarter in: of the 4 KiB that a reader of a sealed object's header takes, that is in the header.
  corrupted: async function* (stream, size) {
    const target = Math.floor(size / 4)
    let at = 0
    for await (const chunk of chunksOf(stream)) {
      const index = target - at
      at += chunk.byteLength
      yield index < 0 || index >= chunk.byteLength ? chunk : flipped(chunk, index)
    }
  },
  slow: async function* (stream, size, signal) {
    const piece = Math.ceil(size / SLOW_PIECES)
    for await (const chunk of chunksOf(stream))
      for (let at = 0; at < chunk.byteLength; at += piece) {
        await sleep(SLOW_PIECE_MS, undefined, { signal })
        yield chunk.subarray(at, at + piece)
      }
  },
}

/** A readable of bytes gives only buffers. */
function chunksOf(stream: Readable): AsyncIterable<Buffer> {
  return stream
}

function flipped(chunk: Buffer, index: number): Buffer {
  const copy = Buffer.from(chunk)
  copy.writeUInt8(copy.readUInt8(index) ^ 1, index)
  return copy
}
