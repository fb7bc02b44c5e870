/** The memory of the bytes that streams yield. */

/**
 * The owner of the bytes that a stream yields. `given`: the consumer, who may keep them. `lent`: the stream.
 * Lent bytes are valid until the consumer asks for the next; their memory is then used again, and wiped at
 * the end. `lent` is the faster of the two.
 */
export type Ownership = 'given' | 'lent'

export type OutputBuffers = {
  readonly acquire: (bytes: number) => Buffer
  /** Takes back a buffer that the consumer is done with. */
  readonly recycle: (output: Buffer) => void
  /** Ends the stream: wipes what it lent. */
  readonly close: () => void
}

/** A pooled buffer holds a whole batch of segments. Smaller or larger requests get memory of their own. */
const POOLED_BYTES = 2 * 1024 * 1024
const MIN_POOLED_BYTES = 64 * 1024
const MAX_POOLED = 6

/** Wiped buffers, kept between streams: faulting in new pages takes half as long as the cipher does. */
const pool: Buffer[] = []

export function createOutputBuffers(ownership: Ownership): OutputBuffers {
  if (ownership === 'given')
    return {
      acquire: (bytes) => Buffer.allocUnsafeSlow(bytes),
      recycle: () => undefined,
      close: () => undefined,
    }
  /** All buffers of this stream, each with the largest number of bytes used. */
  const all = new Map<Buffer, number>()
  const free: Buffer[] = []
  return {
    acquire: (bytes) => {
      const known = free.findIndex((buffer) => buffer.byteLength >= bytes)
      const [buffer = obtain(bytes)] = known < 0 ? [] : free.splice(known, 1)
      all.set(buffer, Math.max(bytes, all.get(buffer) ?? 0))
      return buffer.subarray(0, bytes)
    },
    recycle: (output) => {
      for (const buffer of all.keys()) if (buffer.buffer === output.buffer) free.push(buffer)
    },
    close: () => {
      for (const [buffer, used] of all) {
        buffer.fill(0, 0, used)
        if (buffer.byteLength === POOLED_BYTES && pool.length < MAX_POOLED) pool.push(buffer)
      }
      all.clear()
      free.length = 0
    },
  }
}

function obtain(bytes: number): Buffer {
  if (bytes < MIN_POOLED_BYTES || bytes > POOLED_BYTES) return Buffer.allocUnsafeSlow(bytes)
  return pool.pop() ?? Buffer.allocUnsafeSlow(POOLED_BYTES)
}
