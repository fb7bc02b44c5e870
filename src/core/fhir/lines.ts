/**
 * NDJSON lines from a stream of bytes. Lines end with LF or CRLF; the last one may end with the stream. Blank
 * lines are skipped. The content of a line is not examined.
 */
import { CodedError } from '../errors.ts'

/** Limit for one line. Only a base64 attachment makes a FHIR resource longer than a few hundred KiB. */
const MAX_LINE_BYTES = 16 * 1024 * 1024

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const TAB = 0x09
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])

export type LineSplitter = {
  /** Calls `onLine` for each line that ends in `chunk`, with a view that is valid during the call only. */
  readonly push: (chunk: Uint8Array, onLine: (line: Uint8Array) => void) => void
  /** Emits the last line if it does not end with LF. */
  readonly end: (onLine: (line: Uint8Array) => void) => void
}

/**
 * Both methods throw `resource.malformed` for a line of more than `maxLineBytes`, and for a byte order mark
 * at the beginning of the stream (RFC 8259 §8.1). The splitter holds at most one line.
 */
export function createLineSplitter(maxLineBytes = MAX_LINE_BYTES): LineSplitter {
  let number = 1
  /** The pieces of the unfinished line, copied because the caller reuses its chunks. */
  let pieces: Buffer[] = []
  let pending = 0

  const hold = (piece: Uint8Array): void => {
    pending += piece.byteLength
    // One byte of grace for the CR of a CRLF.
    if (pending > maxLineBytes + 1) throw tooLong(number, maxLineBytes)
    if (piece.byteLength > 0) pieces.push(Buffer.from(piece))
  }
  const emit = (line: Uint8Array, onLine: (line: Uint8Array) => void): void => {
    const length = line[line.byteLength - 1] === CR ? line.byteLength - 1 : line.byteLength
    if (length > maxLineBytes) throw tooLong(number, maxLineBytes)
    if (number === 1 && BYTE_ORDER_MARK.equals(line.subarray(0, 3)))
      throw new CodedError('resource.malformed', 'the object begins with a byte order mark')
    number++
    if (!isBlank(line, length)) onLine(length === line.byteLength ? line : line.subarray(0, length))
  }
  const emitHeld = (onLine: (line: Uint8Array) => void): void => {
    const line = Buffer.concat(pieces, pending)
    pieces = []
    pending = 0
    emit(line, onLine)
  }

  /**
   * Returns the start of the first line that is not blank, not whole or too long. `emit` judges that line.
   */
  const skipBlankLines = (chunk: Uint8Array, start: number): number => {
    let from = start
    let skipped = 0
    for (let at = start; at < chunk.byteLength; at++) {
      const byte = chunk[at]
      if (byte === LF) {
        if (at - from > maxLineBytes) break
        skipped++
        from = at + 1
      } else if (byte !== SPACE && byte !== TAB && !(byte === CR && chunk[at + 1] === LF)) break
    }
    number += skipped
    return from
  }

  return {
    push: (chunk, onLine) => {
      let from = pending > 0 ? 0 : skipBlankLines(chunk, 0)
      for (let to = chunk.indexOf(LF, from); to >= 0; to = chunk.indexOf(LF, from)) {
        if (pending > 0) {
          hold(chunk.subarray(from, to))
          emitHeld(onLine)
        } else emit(chunk.subarray(from, to), onLine)
        from = skipBlankLines(chunk, to + 1)
      }
      hold(chunk.subarray(from))
    },
    end: (onLine) => {
      if (pending > 0) emitHeld(onLine)
    },
  }
}

function isBlank(line: Uint8Array, length: number): boolean {
  for (let at = 0; at < length; at++) if (line[at] !== SPACE && line[at] !== TAB) return false
  return true
}

function tooLong(number: number, limit: number): CodedError {
  return new CodedError('resource.malformed', `line ${number} has more than ${limit} bytes`)
}
