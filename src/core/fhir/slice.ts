/**
 * One line of NDJSON as slices of its own bytes: strict JSON (RFC 8259) checked from the first byte to the last, and
 * a flat list of values that says where each begins and ends. Nothing is decoded and nothing becomes an object, so a
 * decimal keeps its digits (FHIR R4 §2.24: precision is significant) and a member name such as `__proto__` is just bytes.
 *
 * Stricter than JSON where laxness is an ambiguity: a member name occurs once in its object, has no escapes and is of
 * `A-Z a-z 0-9 _`, as every FHIR name is.
 */
import { isUtf8 } from 'node:buffer'
import { hashOf, sameSlice, type WordTable } from './words.ts'

export const MAX_DEPTH = 64
export const MAX_MEMBERS = 256

export const OBJECT = 1
export const ARRAY = 2
/** A string without escapes: its slice is its text. */
export const STRING = 3
/** A string with at least one escape: its text is to be had from `text` alone. */
export const ESCAPED = 4
export const NUMBER = 5
export const TRUE = 6
export const FALSE = 7
export const NULL = 8

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const MINUS = 0x2d
const DOT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d

const NOTHING = 0
const LITERALS: readonly (readonly [kind: number, word: Buffer])[] = [
  [TRUE, Buffer.from('true')],
  [FALSE, Buffer.from('false')],
  [NULL, Buffer.from('null')],
]

const SPACE = byteSet(' \t\r\n')
/** What may follow a backslash (RFC 8259 §7). */
const ESCAPES = byteSet('"\\/bfnrtu')
/** What stands in a string for more than itself: the quote, the backslash and the control characters. */
const ENDS_TEXT = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === QUOTE || byte === BACKSLASH ? 1 : 0,
)
const HEX = byteSet('0123456789abcdefABCDEF')
const NAME = byteSet('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_')

/**
 * Reused for every line; `scan` overwrites what it found before. Values are numbered in the order in which they begin,
 * the resource itself is 0. For value `i`: `kind[i]`; its bytes from `start[i]` to `end[i]` (of a string, without the
 * quotes); `next[i]`, the number after the last value inside it; `name[i]`, the word of `names` under which its object
 * holds it (0 for elements of arrays and for other names).
 */
export class SliceScanner {
  /** A copy of the line, followed by a zero: every loop below ends there, and no read is out of bounds. */
  bytes = Buffer.alloc(64 * 1024)
  count = 0
  kind = new Uint8Array(1024)
  start = new Int32Array(1024)
  end = new Int32Array(1024)
  next = new Int32Array(1024)
  name = new Int32Array(1024)
  /** The objects that have a string under `markedName`, in order of their ends: the codings of a resource. */
  readonly marked: number[] = []
  /** Which names of the table occur anywhere in the line. */
  readonly occurs: Uint8Array
  readonly names: WordTable
  readonly #markedName: number
  #length = 0
  #keyStart = new Int32Array(1024)
  #keyHash = new Int32Array(1024)
  readonly #open = new Int32Array(MAX_DEPTH)
  readonly #members = new Int32Array(MAX_DEPTH)
  readonly #mark = new Uint8Array(MAX_DEPTH)
  /** For each depth 64 bits: which hashes of names its object has had. */
  readonly #bits = new Int32Array(MAX_DEPTH * 2)

  constructor(names: WordTable, markedName: string) {
    this.names = names
    this.occurs = new Uint8Array(names.size)
    // A name outside the table marks nothing.
    this.#markedName = names.idOf(markedName) || -1
  }

  /** False where the line is not one JSON object in UTF-8 of the strict kind above; then the slices mean nothing. */
  scan(line: Uint8Array): boolean {
    const { length } = line
    if (length >= this.bytes.length) this.bytes = Buffer.alloc(length * 2)
    this.bytes.set(line)
    this.bytes[length] = 0
    this.#length = length
    this.count = 0
    this.marked.length = 0
    this.occurs.fill(0)
    return isUtf8(line) && this.#scanObject(this.bytes)
  }

  /** The value that the object `parent` holds under a name, or -1. */
  member(parent: number, name: number): number {
    if (this.kind[parent] !== OBJECT) return -1
    const last = this.next[parent] ?? 0
    for (let at = parent + 1; at < last; at = this.next[at] ?? last) if (this.name[at] === name) return at
    return -1
  }

  isText(value: number): boolean {
    const kind = this.kind[value]
    return kind === STRING || kind === ESCAPED
  }

  /** The text of a string, escapes resolved. */
  text(value: number): string {
    const raw = this.bytes.toString('utf8', this.start[value], this.end[value])
    // Cannot throw: the scan has checked the escapes.
    return this.kind[value] === ESCAPED ? String(JSON.parse(`"${raw}"`)) : raw
  }

  /**
   * One loop and no recursion: depth costs a row of a fixed stack, and the hot path stays in one function, over
   * locals.
   */
  #scanObject(bytes: Uint8Array): boolean {
    let { kind, start, end, next, name } = this
    let keyStart = this.#keyStart
    let keyHash = this.#keyHash
    const { names, occurs } = this
    const open = this.#open
    const members = this.#members
    const bits = this.#bits
    const mark = this.#mark
    const markedName = this.#markedName
    let at = skipSpace(bytes, 0)
    if (bytes[at] !== OPEN_OBJECT) return false
    let count = 0
    let depth = -1
    /** The innermost object or array that is open, and the byte that closes it. */
    let container = 0
    let closing = 0
    let pendingName = 0
    let pendingStart = 0
    let pendingHash = 0

    for (;;) {
      const value = count++
      if (value === kind.length) {
        this.#grow()
        ;({ kind, start, end, next, name } = this)
        keyStart = this.#keyStart
        keyHash = this.#keyHash
      }
      const first = bytes[at] ?? 0
      start[value] = at
      name[value] = pendingName
      keyStart[value] = pendingStart
      keyHash[value] = pendingHash

      let ended = true
      if (first === QUOTE) {
        start[value] = ++at
        while (ENDS_TEXT[bytes[at] ?? 0] === 0) at++
        kind[value] = STRING
        if (bytes[at] !== QUOTE) {
          kind[value] = ESCAPED
          at = scanEscapes(bytes, at)
          if (at < 0) return false
        }
        end[value] = at
        next[value] = count
        if (pendingName === markedName) mark[depth] = 1
        at = skipSpace(bytes, at + 1)
      } else if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
        if (++depth === MAX_DEPTH) return false
        kind[value] = first === OPEN_OBJECT ? OBJECT : ARRAY
        open[depth] = container = value
        members[depth] = 0
        bits[depth * 2] = bits[depth * 2 + 1] = 0
        mark[depth] = 0
        closing = first === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY
        at = skipSpace(bytes, at + 1)
        ended = bytes[at] === closing
      } else {
        const isNumber = first === MINUS || (first >= ZERO && first <= NINE)
        kind[value] = isNumber ? NUMBER : literalAt(bytes, at)
        at = isNumber ? scanNumber(bytes, at) : at + lengthOfLiteral(kind[value] ?? 0)
        if (at < 0 || kind[value] === NOTHING) return false
        end[value] = at
        next[value] = count
        at = skipSpace(bytes, at)
      }

      // Close what closes here; then a comma and the next value of what is still open.
      while (ended) {
        if (bytes[at] !== closing) {
          if (bytes[at] !== COMMA) return false
          at = skipSpace(bytes, at + 1)
          break
        }
        end[container] = ++at
        next[container] = count
        if (mark[depth] === 1) this.marked.push(container)
        at = skipSpace(bytes, at)
        if (depth-- === 0) {
          this.count = count
          return at === this.#length
        }
        container = open[depth] ?? 0
        closing = kind[container] === OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY
      }

      pendingName = 0
      if (closing === CLOSE_ARRAY) continue
      if (bytes[at] !== QUOTE) return false
      pendingStart = ++at
      while (NAME[bytes[at] ?? 0] === 1) at++
      if (bytes[at] !== QUOTE || at === pendingStart) return false
      pendingHash = hashOf(bytes, pendingStart, at)
      const member = (members[depth] ?? 0) + 1
      members[depth] = member
      if (member > MAX_MEMBERS) return false
      // Two members with one name have one bit, so that most names need not be held against each other.
      const bit = 1 << (pendingHash >>> 27)
      const half = depth * 2 + ((pendingHash >>> 26) & 1)
      const isSeen = ((bits[half] ?? 0) & bit) !== 0
      bits[half] = (bits[half] ?? 0) | bit
      for (let other = isSeen ? container + 1 : count; other < count; other = next[other] ?? 0)
        if (keyHash[other] === pendingHash && sameName(bytes, keyStart[other] ?? 0, pendingStart, at))
          return false
      pendingName = names.find(bytes, pendingStart, at, pendingHash)
      occurs[pendingName] = 1
      at = skipSpace(bytes, at + 1)
      if (bytes[at] !== COLON) return false
      at = skipSpace(bytes, at + 1)
    }
  }

  #grow(): void {
    const capacity = this.kind.length * 2
    const wider = (from: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> => {
      const to = new Int32Array(capacity)
      to.set(from)
      return to
    }
    const kind = new Uint8Array(capacity)
    kind.set(this.kind)
    this.kind = kind
    this.start = wider(this.start)
    this.end = wider(this.end)
    this.next = wider(this.next)
    this.name = wider(this.name)
    this.#keyStart = wider(this.#keyStart)
    this.#keyHash = wider(this.#keyHash)
  }
}

/** The member names, of which one is at `other` and the other from `start` to its quote at `end`, are the same. */
function sameName(bytes: Uint8Array, other: number, start: number, end: number): boolean {
  return sameSlice(bytes, other, bytes, start, end - start + 1)
}

/** From the first escape of a string: the index of its closing quote, or -1. */
function scanEscapes(bytes: Uint8Array, from: number): number {
  let at = from
  while (bytes[at] !== QUOTE) {
    // A control character, or the zero behind the line.
    if (bytes[at] !== BACKSLASH) return -1
    const escaped = bytes[++at] ?? 0
    if (ESCAPES[escaped] !== 1) return -1
    if (escaped === 0x75) for (let digit = 1; digit <= 4; digit++) if (HEX[bytes[++at] ?? 0] !== 1) return -1
    at++
    while (ENDS_TEXT[bytes[at] ?? 0] === 0) at++
  }
  return at
}

function literalAt(bytes: Uint8Array, at: number): number {
  for (const [kind, word] of LITERALS) if (sameSlice(bytes, at, word, 0, word.length)) return kind
  return NOTHING
}

function lengthOfLiteral(kind: number): number {
  return kind === FALSE ? 5 : 4
}

/** RFC 8259 §2. Compact JSON, the usual kind, has none. */
function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from
  while (SPACE[bytes[at] ?? 0] === 1) at++
  return at
}

/** RFC 8259 §6; the index after the number, or -1. */
function scanNumber(bytes: Uint8Array, from: number): number {
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
