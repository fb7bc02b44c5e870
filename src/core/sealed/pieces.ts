/** A stream of chunks of any size, read in portions of a known size and without copying. */

export type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

export type PieceReader = {
  /** Views that have `bytes` together, or all that is left. Calls must not overlap. */
  readonly take: (bytes: number) => Promise<Uint8Array[]>
  readonly isAtEnd: () => Promise<boolean>
  /** Lets the source go; does not wait for a read that is still under way. */
  readonly close: () => void
}

/** More pieces than this are joined: a source of tiny chunks costs a copy, and not a list as long as the portion. */
const MAX_PIECES = 256

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

/** Cuts portions off a list of pieces, one behind the other; the caller knows how much there is. */
export function cutPieces(pieces: readonly Uint8Array[]): (bytes: number) => Uint8Array[] {
  let index = 0
  let offset = 0
  return (bytes) => {
    const portion: Uint8Array[] = []
    let missing = bytes
    for (let piece = pieces[index]; missing > 0 && piece !== undefined; piece = pieces[index]) {
      const end = Math.min(offset + missing, piece.byteLength)
      portion.push(end - offset === piece.byteLength ? piece : piece.subarray(offset, end))
      missing -= end - offset
      offset = end
      if (offset < piece.byteLength) break
      index++
      offset = 0
    }
    return portion
  }
}

/** One run of bytes: the piece itself where there is but one. */
export function joinPieces(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces
  return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces)
}
