/** The memory that streams yield. */

/**
 * Whose the bytes are that a stream yields. `given`: the consumer's, to keep. `lent`: they hold until the next are asked
 * for, then the memory is used again, and wiped at the end; the faster of the two.
 */
export type Ownership = 'given' | 'lent'

export type OutputBuffers = {
  readonly acquire: (bytes: number) => Buffer
  readonly recycle: (output: Buffer) => void
  /** Ends the stream: wipes what it lent. */
  readonly close: () => void
}

/** A batch of segments at the most; smaller needs are met by memory of their own. */
const SHELVED_BYTES = 2 * 1024 * 1024
const MIN_SHELVED_BYTES = 64 * 1024
const MAX_SHELVED = 6

/** Wiped memory between streams: faulting new pages in takes half as long as the cipher does. */
const shelf: Buffer[] = []

export function createOutputBuffers(ownership: Ownership): OutputBuffers {
  if (ownership === 'given')
    return {
      acquire: (bytes) => Buffer.allocUnsafeSlow(bytes),
      recycle: () => undefined,
      close: () => undefined,
    }
  /** All that this stream has, each with the most that was used of it. */
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
        if (buffer.byteLength === SHELVED_BYTES && shelf.length < MAX_SHELVED) shelf.push(buffer)
      }
      all.clear()
      free.length = 0
    },
  }
}

function obtain(bytes: number): Buffer {
  if (bytes < MIN_SHELVED_BYTES || bytes > SHELVED_BYTES) return Buffer.allocUnsafeSlow(bytes)
  return shelf.pop() ?? Buffer.allocUnsafeSlow(SHELVED_BYTES)
}
