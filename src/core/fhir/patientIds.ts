/**
 * A set of patient ids, looked up by bytes without making a string first. So its owner can wipe every id.
 */
import { sameSlice } from './words.ts'

const LF = 0x0a
/** FNV-1a, 32 bits. An id in the list is the provider's, so none is chosen to collide. */
const BASIS = 0x811c9dc5
const PRIME = 0x01000193

export class PatientIds {
  /** How many ids there are, each counted once. */
  readonly size: number
  readonly #text: Uint8Array
  /** Where an id begins, plus one; 0 is an empty slot. At most half of them are taken, so a probe ends. */
  readonly #slots: Int32Array
  readonly #mask: number

  /** Ids, each followed by a line feed. The texts are wiped. */
  constructor(texts: readonly Uint8Array[]) {
    this.#text = Buffer.concat(texts)
    for (const text of texts) text.fill(0)
    let capacity = 16
    while (capacity < countLines(this.#text) * 2) capacity *= 2
    this.#slots = new Int32Array(capacity)
    this.#mask = capacity - 1
    let size = 0
    for (let start = 0; start < this.#text.length; ) {
      const end = this.#text.indexOf(LF, start)
      const slot = this.#slotOf(this.#text, start, end)
      if (this.#slots[slot] === 0) size++
      this.#slots[slot] = start + 1
      start = end + 1
    }
    this.size = size
  }

  has(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#slots[this.#slotOf(bytes, start, end)] !== 0
  }

  /** Afterwards the set has no id. */
  wipe(): void {
    this.#text.fill(0)
    this.#slots.fill(0)
  }

  /** The slot of this id, or the empty one where it belongs. */
  #slotOf(bytes: Uint8Array, start: number, end: number): number {
    let slot = hashOfId(bytes, start, end) & this.#mask
    for (let from = this.#slots[slot] ?? 0; from !== 0; from = this.#slots[slot] ?? 0) {
      const length = end - start
      if (this.#text[from - 1 + length] === LF && sameSlice(this.#text, from - 1, bytes, start, length))
        return slot
      slot = (slot + 1) & this.#mask
    }
    return slot
  }
}

function hashOfId(bytes: Uint8Array, start: number, end: number): number {
  let hash = BASIS
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), PRIME)
  return hash ^ (hash >>> 15)
}

function countLines(text: Uint8Array): number {
  let lines = 0
  for (let at = text.indexOf(LF); at >= 0; at = text.indexOf(LF, at + 1)) lines++
  return lines
}
