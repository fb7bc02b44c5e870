/** Reads a stream of chunks of any size in portions of a known size, without copying. */

export type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

export type PieceReader = {
  /** Views of `bytes` in total, or of all that is left. Calls must not overlap. */
  readonly take: (bytes: number) => Promise<Uint8Array[]>
  readonly isAtEnd: () => Promise<boolean>
  /** Ends the source. Does not wait for a pending read. */
  readonly close: () => void
}

/**
 * More pieces than this are joined: a source of tiny chunks then costs a copy instead of a very long list.
 */
const MAX_PIECES = 256

export function readPieces(chunks: Chunks): PieceReader {
  const source = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]()
  let chunk: Uint8Array = new Uint8Array(0)
  let offset = 0
  let isOver = false

  /** False if the stream has no further byte. */
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

/** Cuts portions off a list of pieces, in order. The caller knows their total length. */
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

/** All pieces as one run of bytes, without a copy if there is only one. */
export function joinPieces(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces
  return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces)
}
