/** A closed set of ASCII words, looked up by bytes without making a string first. */

/** The prime of FNV. It is odd, so multiplying loses no information. */
const SPREADING = 0x01000193

/**
 * A hash of a slice by its length and four of its bytes. It only spreads entries over a table: a match always
 * requires equal bytes. Words chosen to collide cost time, within the limits of a line, and have no other
 * effect.
 */
export function hashOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  const ends = ((bytes[start] ?? 0) << 8) | (bytes[end - 1] ?? 0)
  const middle = ((bytes[start + (length >> 1)] ?? 0) << 8) | (bytes[start + (length >> 2)] ?? 0)
  return Math.imul((ends << 16) ^ (middle << 4) ^ length, SPREADING)
}

/** A hash of up to sixteen bytes, for slices that differ in few places, such as ids. */
export function idHashOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  const step = 1 + (length >> 4)
  let hash = length
  for (let at = end - 1; at >= start; at -= step) hash = Math.imul(hash ^ (bytes[at] ?? 0), SPREADING)
  return hash
}

export function sameSlice(
  a: Uint8Array,
  aStart: number,
  b: Uint8Array,
  bStart: number,
  length: number,
): boolean {
  for (let i = 0; i < length; i++) if (a[aStart + i] !== b[bStart + i]) return false
  return true
}

/** Words are numbered from 1 in the given order; 0 means no word. */
export class WordTable {
  readonly size: number
  readonly #ids = new Map<string, number>()
  /** All words joined; word `n` is from `#offsets[n]` to `#offsets[n + 1]`. */
  readonly #bytes: Uint8Array
  readonly #offsets: Int32Array
  /** Open addressing with linear probing. The table is at most a quarter full, so a probe always ends. */
  readonly #slots: Int32Array
  readonly #hashes: Int32Array
  readonly #mask: number

  constructor(words: Iterable<string>) {
    for (const word of words) if (!this.#ids.has(word)) this.#ids.set(word, this.#ids.size + 1)
    this.size = this.#ids.size + 1
    this.#bytes = new Uint8Array(Buffer.from([...this.#ids.keys()].join(''), 'latin1'))
    this.#offsets = new Int32Array(this.size + 1)
    this.#hashes = new Int32Array(this.size)
    let capacity = 16
    while (capacity < this.size * 4) capacity *= 2
    this.#mask = capacity - 1
    this.#slots = new Int32Array(capacity)
    for (const [word, id] of this.#ids) {
      const start = this.#offsets[id] ?? 0
      this.#offsets[id + 1] = start + word.length
      const hash = hashOf(this.#bytes, start, start + word.length)
      this.#hashes[id] = hash
      let slot = spread(hash) & this.#mask
      while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask
      this.#slots[slot] = id
    }
  }

  /** 0 if the word is not in the set. */
  idOf(word: string): number {
    return this.#ids.get(word) ?? 0
  }

  find(bytes: Uint8Array, start: number, end: number, hash = hashOf(bytes, start, end)): number {
    let slot = spread(hash) & this.#mask
    for (let id = this.#slots[slot] ?? 0; id !== 0; id = this.#slots[slot] ?? 0) {
      if (this.#hashes[id] === hash) {
        const from = this.#offsets[id] ?? 0
        const length = (this.#offsets[id + 1] ?? 0) - from
        if (length === end - start && sameSlice(bytes, start, this.#bytes, from, length)) return id
      }
      slot = (slot + 1) & this.#mask
    }
    return 0
  }
}

function spread(hash: number): number {
  return hash ^ (hash >>> 13)
}
