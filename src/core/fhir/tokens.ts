/**
 * The tokens of strict JSON (RFC 8259) in a line that ends with a zero byte: the kinds of values, classes of
 * bytes, and where a string, number or literal ends. Every loop stops at the zero, so no read is out of
 * bounds.
 */
import { sameSlice } from './words.ts'

/** A value of no kind: the line is not JSON. */
export const NOTHING = 0
export const OBJECT = 1
export const ARRAY = 2
/** A string without escapes: its slice is its text. */
export const STRING = 3
/** A string with at least one escape: only `SliceScanner.text` gives its text. */
export const ESCAPED = 4
export const NUMBER = 5
export const TRUE = 6
export const FALSE = 7
export const NULL = 8

export const QUOTE = 0x22
const BACKSLASH = 0x5c
export const COMMA = 0x2c
export const COLON = 0x3a
export const MINUS = 0x2d
const DOT = 0x2e
export const ZERO = 0x30
export const NINE = 0x39
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d
export const OPEN_ARRAY = 0x5b
export const CLOSE_ARRAY = 0x5d

const LITERALS: readonly (readonly [kind: number, word: Buffer])[] = [
  [TRUE, Buffer.from('true')],
  [FALSE, Buffer.from('false')],
  [NULL, Buffer.from('null')],
]

const SPACE = byteSet(' \t\r\n')
/** The bytes that may follow a backslash (RFC 8259 §7). */
const ESCAPES = byteSet('"\\/bfnrtu')
/**
 * The bytes that end a run of plain text in a string: the quote, the backslash and the control characters.
 */
export const ENDS_TEXT = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === QUOTE || byte === BACKSLASH ? 1 : 0,
)
const HEX = byteSet('0123456789abcdefABCDEF')
/** The bytes of a member name, as every FHIR name has them. */
export const NAME = byteSet('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_')

/** Reads on from the first escape of a string. Returns the index of its closing quote, or -1. */
export function scanEscapes(bytes: Uint8Array, from: number): number {
  let at = from
  while (bytes[at] !== QUOTE) {
    // A control character, or the zero after the line.
    if (bytes[at] !== BACKSLASH) return -1
    const escaped = bytes[++at] ?? 0
    if (ESCAPES[escaped] !== 1) return -1
    if (escaped === 0x75) for (let digit = 1; digit <= 4; digit++) if (HEX[bytes[++at] ?? 0] !== 1) return -1
    at++
    while (ENDS_TEXT[bytes[at] ?? 0] === 0) at++
  }
  return at
}

/** The kind of the literal at `at`, or NOTHING. */
export function literalAt(bytes: Uint8Array, at: number): number {
  for (const [kind, word] of LITERALS) if (sameSlice(bytes, at, word, 0, word.length)) return kind
  return NOTHING
}

export function lengthOfLiteral(kind: number): number {
  return kind === FALSE ? 5 : 4
}

/** RFC 8259 §2. Compact JSON, the usual kind, has no white space. */
export function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from
  while (SPACE[bytes[at] ?? 0] === 1) at++
  return at
}

/** RFC 8259 §6. Returns the index after the number, or -1. */
export function scanNumber(bytes: Uint8Array, from: number): number {
  let at = bytes[from] === MINUS ? from + 1 : from
  const whole = at
  at = skipDigits(bytes, at)
  if (at === whole || (bytes[whole] === ZERO && at > whole + 1)) return -1
  if (bytes[at] === DOT) {
    const fraction = at + 1
    at = skipDigits(bytes, fraction)
    if (at === fraction) return -1
  }
  if (bytes[at] === 0x65 || bytes[at] === 0x45) {
    const sign = bytes[at + 1] === MINUS || bytes[at + 1] === 0x2b ? 2 : 1
    const exponent = at + sign
    at = skipDigits(bytes, exponent)
    if (at === exponent) return -1
  }
  return at
}

function skipDigits(bytes: Uint8Array, from: number): number {
  let at = from
  for (let byte = bytes[at] ?? 0; byte >= ZERO && byte <= NINE; byte = bytes[at] ?? 0) at++
  return at
}

function byteSet(characters: string): Uint8Array {
  const set = new Uint8Array(256)
  for (const byte of Buffer.from(characters, 'latin1')) set[byte] = 1
  return set
}
