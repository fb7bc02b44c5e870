/**
 * Limits of a JSON text that hold before it is parsed: how deep it nests, and how many values it has. A parser
 * or a later walk over the value would spend time or stack that the text's length does not bound.
 */
import { CodedError } from './errors.ts'

export type JsonLimits = {
  /** Arrays and objects within each other. */
  readonly depth: number
  /** Members of objects and elements of arrays, with those that only a malformed text has. */
  readonly values: number
}

/** No document of this project or of OCI nests half as deep. */
export const MAX_JSON_DEPTH = 32

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
/** `[` and `{`, `]` and `}` differ only in this bit. */
const CURLY = 0x20
const OPEN = 0x5b | CURLY
const CLOSE = 0x5d | CURLY

/**
 * One pass over the bytes, linear in their number. Strings are skipped as JSON delimits them, so any text that
 * parses is counted exactly, and any other text up to its first error. Throws `encoding.invalid`.
 */
export function checkJsonLimits(bytes: Uint8Array, { depth, values }: JsonLimits, field: string): void {
  let open = 0
  let count = 0
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] ?? 0
    if (byte === QUOTE) {
      index = endOfString(bytes, index)
    } else if (byte === COMMA) {
      count += 1
    } else if ((byte | CURLY) === OPEN) {
      open += 1
      count += 1
      if (open > depth) throw new CodedError('encoding.invalid', `${field} nests deeper than ${depth} levels`)
    } else if ((byte | CURLY) === CLOSE) {
      open -= 1
    }
    if (count > values) throw new CodedError('encoding.invalid', `${field} has more than ${values} values`)
  }
}

/** The index of the closing quote, or of the last byte if there is none. */
function endOfString(bytes: Uint8Array, start: number): number {
  for (let from = start + 1; ; ) {
    const quote = bytes.indexOf(QUOTE, from)
    if (quote === -1) return bytes.length - 1
    let escapes = quote
    while (escapes > from && bytes[escapes - 1] === BACKSLASH) escapes -= 1
    if ((quote - escapes) % 2 === 0) return quote
    from = quote + 1
  }
}
