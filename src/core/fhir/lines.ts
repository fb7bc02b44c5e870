/**
 * NDJSON lines from a stream of bytes. Lines end with LF or CRLF; the last one may end with the stream. White
 * space before a line is skipped, and with it every blank line. The content of a line is not examined.
 */
import { CodedError } from '../errors.ts'

/** Limit for one line. Only a base64 attachment makes a FHIR resource longer than a few hundred KiB. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const TAB = 0x09
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])
/** The memory for an unfinished line at first. */
const FIRST_BYTES = 64 * 1024

/** Takes a line, with a view that is valid during the call only; undefined for a line that is too long. */
export type OnLine = (line: Uint8Array | undefined) => void

export type LineSplitter = {
  /** Calls `onLine` for each line that ends in `chunk`. */
  readonly push: (chunk: Uint8Array, onLine: OnLine) => void
  /** Emits the last line if it does not end with LF. */
  readonly end: (onLine: OnLine) => void
}

/**
 * The splitter holds at most one line of at most `maxLineBytes`, and nothing of a longer one: one monstrous
 * line costs that line. Both methods throw `resource.malformed` for a byte order mark at the beginning of the
 * stream (RFC 8259 §8.1).
 */
export function createLineSplitter(maxLineBytes = MAX_LINE_BYTES): LineSplitter {
  /** The beginning of the unfinished line, copied because the caller reuses its chunks. */
  let held = Buffer.alloc(0)
  let length = 0
  let isTooLong = false
  let isFirst = true

  const hold = (piece: Uint8Array): void => {
    // One byte of grace for the CR of a CRLF.
    isTooLong ||= length + piece.byteLength > maxLineBytes + 1
    if (isTooLong || piece.byteLength === 0) return
    if (length + piece.byteLength > held.byteLength) {
      const wider = Buffer.allocUnsafeSlow(
        Math.min(maxLineBytes + 1, Math.max(FIRST_BYTES, held.byteLength * 2, length + piece.byteLength)),
      )
      wider.set(held.subarray(0, length))
      held = wider
    }
    held.set(piece, length)
    length += piece.byteLength
  }
  const emit = (line: Uint8Array, onLine: OnLine): void => {
    if (isFirst && BYTE_ORDER_MARK.equals(line.subarray(0, 3)))
      throw new CodedError('resource.malformed', 'the object begins with a byte order mark')
    isFirst = false
    const end = line[line.byteLength - 1] === CR ? line.byteLength - 1 : line.byteLength
    onLine(end > maxLineBytes || isTooLong ? undefined : line.subarray(0, end))
    length = 0
    isTooLong = false
  }
  const isWithinLine = (): boolean => length > 0 || isTooLong
  const skipWhite = (chunk: Uint8Array, start: number): number => {
    const at = endOfWhite(chunk, start)
    if (at > start) isFirst = false
    return at
  }

  return {
    push: (chunk, onLine) => {
      let from = isWithinLine() ? 0 : skipWhite(chunk, 0)
      for (let to = chunk.indexOf(LF, from); to >= 0; to = chunk.indexOf(LF, from)) {
        const piece = chunk.subarray(from, to)
        if (isWithinLine()) {
          hold(piece)
          emit(held.subarray(0, length), onLine)
        } else emit(piece, onLine)
        from = skipWhite(chunk, to + 1)
      }
      hold(chunk.subarray(from))
    },
    end: (onLine) => {
      if (isWithinLine()) emit(held.subarray(0, length), onLine)
    },
  }
}

/** The index of the first byte that is not white space (RFC 8259 §2): a loop of its own, which is compiled. */
function endOfWhite(bytes: Uint8Array, start: number): number {
  const end = bytes.byteLength
  let at = start
  while (at < end && (bytes[at] === LF || bytes[at] === CR || bytes[at] === SPACE || bytes[at] === TAB)) at++
  return at
}
