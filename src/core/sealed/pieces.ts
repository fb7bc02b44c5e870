/** A stream of chunks of any size, read in portions of a known size and without copying. */

export type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

export type PieceReader = {
  /** Views that have `bytes` together, or all that is left. Calls must not overlap. */
  readonly take: (bytes: number) => Promise<Uint8Array[]>
  readonly isAtEnd: () => Promise<boolean>
  /** Lets the source go; does not wait for a read that is still under way. */
  readonly close: () => void
}

/** More pieces than this are joined: a source of tiny chunks costs a copy, and not a list as long as the segment. */
const MAX_PIECES = 64

export function readPieces(chunks: Chunks): PieceReader {
  const source = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]()
  let chunk: Uint8Array = new Uint8Array(0)
  let offset = 0
  let isOver = false

  /** False where the stream has no further byte. */
  const fill = async (): Promise<boolean> => {
    while (offset === chunk.byteLength && !isOver) {
      const next = await source.next()
      if (next.done === true) isOver = true
      else {
        chunk = next.value
        offset = 0
      }
    }
    return !isOver
  }

  return {
    take: async (bytes) => {
      const pieces: Uint8Array[] = []
      let missing = bytes
      while (missing > 0 && (offset < chunk.byteLength || (await fill()))) {
        const end = Math.min(offset + missing, chunk.byteLength)
        pieces.push(end - offset === chunk.byteLength ? chunk : chunk.subarray(offset, end))
        missing -= end - offset
        offset = end
      }
      return pieces.length > MAX_PIECES ? [Buffer.concat(pieces)] : pieces
    },
    isAtEnd: async () => !(await fill()),
    close: () => {
      isOver = true
      Promise.resolve(source.return?.()).catch(() => undefined)
    },
  }
}

export function lengthOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
}

/** Cuts the last `bytes` off; the cut part is a copy where it spans pieces. */
export function splitEnd(
  pieces: readonly Uint8Array[],
  bytes: number,
): { readonly head: Uint8Array[]; readonly end: Uint8Array } {
  const head = [...pieces]
  const end: Uint8Array[] = []
  let missing = bytes
  for (let last = head.pop(); last !== undefined; last = head.pop()) {
    const cut = Math.max(0, last.byteLength - missing)
    end.unshift(last.subarray(cut))
    missing -= last.byteLength - cut
    if (missing > 0) continue
    if (cut > 0) head.push(last.subarray(0, cut))
    break
  }
  return { head, end: end.length === 1 && end[0] !== undefined ? end[0] : Buffer.concat(end) }
}
