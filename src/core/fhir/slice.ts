/**
 * One line of NDJSON as slices of its own bytes: strict JSON (RFC 8259) checked from the first byte to the
 * last, and a flat list of values with the start and end of each. Nothing is decoded and no object is built.
 * So a decimal keeps its digits (FHIR R4 §2.24: precision is significant), and a member name such as
 * `__proto__` is just bytes.
 *
 * Stricter than JSON if laxness would be ambiguous: a member name occurs once in its object, has no escapes
 * and consists of `A-Z a-z 0-9 _`, as every FHIR name does.
 */
import { isUtf8 } from 'node:buffer'
import {
  ARRAY,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  ENDS_TEXT,
  ESCAPED,
  lengthOfLiteral,
  literalAt,
  MINUS,
  NAME,
  NINE,
  NOTHING,
  NUMBER,
  OBJECT,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  STRING,
  scanEscapes,
  scanNumber,
  skipSpace,
  ZERO,
} from './tokens.ts'
import { hashOf, sameSlice, type WordTable } from './words.ts'

export const MAX_DEPTH = 64
export const MAX_MEMBERS = 256
/** A resource has a few thousand values. A power of two, as the capacity below is. */
export const MAX_VALUES = 65_536

/**
 * One scanner for all lines: each `scan` overwrites the result of the one before. Values are numbered in the
 * order in which they begin; the resource itself is 0. For value `i`:
 *
 * - `kind[i]` is its kind;
 * - `start[i]` to `end[i]` are its bytes, for a string without the quotes;
 * - `next[i]` is the number after the last value inside it;
 * - `name[i]` is the word of `names` under which its object holds it (0 for elements of arrays and for other
 *   names).
 */
export class SliceScanner {
  /** A copy of the line, followed by a zero: every loop ends there, and no read is out of bounds. */
  bytes = Buffer.alloc(64 * 1024)
  count = 0
  kind = new Uint8Array(1024)
  start = new Int32Array(1024)
  end = new Int32Array(1024)
  next = new Int32Array(1024)
  name = new Int32Array(1024)
  /**
   * The objects with a string under `markedName`, in the order in which they end: the codings of a resource.
   */
  readonly marked: number[] = []
  /** 1 for each name of the table that occurs anywhere in the line. */
  readonly occurs: Uint8Array
  readonly names: WordTable
  readonly #markedName: number
  #length = 0
  #keyStart = new Int32Array(1024)
  #keyHash = new Int32Array(1024)
  readonly #open = new Int32Array(MAX_DEPTH)
  readonly #members = new Int32Array(MAX_DEPTH)
  readonly #mark = new Uint8Array(MAX_DEPTH)
  /** 64 bits per depth: the hashes of the names that its object has had so far. */
  readonly #bits = new Int32Array(MAX_DEPTH * 2)

  constructor(names: WordTable, markedName: string) {
    this.names = names
    this.occurs = new Uint8Array(names.size)
    // A name outside the table marks nothing.
    this.#markedName = names.idOf(markedName) || -1
  }

  /**
   * False if the line is not one JSON object in UTF-8 of the strict kind above; the slices then mean nothing.
   */
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

  isEscaped(value: number): boolean {
    return this.kind[value] === ESCAPED
  }

  /** The text of a string, escapes resolved. */
  text(value: number): string {
    const raw = this.bytes.toString('utf8', this.start[value], this.end[value])
    // Cannot throw: the scan has checked the escapes.
    return this.kind[value] === ESCAPED ? String(JSON.parse(`"${raw}"`)) : raw
  }

  /**
   * One loop and no recursion: depth costs a row of a fixed stack, and the hot path is one function over
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
    /** The innermost open object or array, and the byte that closes it. */
    let container = 0
    let closing = 0
    let pendingName = 0
    let pendingStart = 0
    let pendingHash = 0

    for (;;) {
      const value = count++
      if (value === kind.length) {
        if (value === MAX_VALUES) return false
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

      // Close all containers that end here. A comma then leads to the next value of the one still open.
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
      // Two equal names share a bit, so most names need no comparison with the others.
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

/** True if the member name at `other` equals the one from `start` to its closing quote at `end`. */
function sameName(bytes: Uint8Array, other: number, start: number, end: number): boolean {
  return sameSlice(bytes, other, bytes, start, end - start + 1)
}
