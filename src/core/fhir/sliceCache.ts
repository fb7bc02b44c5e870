/**
 * A cache keyed by the bytes of a slice: clinical data repeats the same codes and the same patients. It is
 * direct-mapped and of fixed size, so a hostile file can make it useless but not large. A hit requires that
 * the whole key is equal.
 */
import { idHashOf, sameSlice } from './words.ts'

export class SliceCache {
  readonly #slots: number
  readonly #keyBytes: number
  readonly #valueBytes: number
  readonly #keys: Uint8Array
  readonly #values: Uint8Array
  readonly #lengths: Int32Array
  readonly #tags: Int32Array

  /** `slots` is a power of two. Keys longer than `keyBytes` are not cached. Every value has `valueBytes`. */
  constructor(slots: number, keyBytes: number, valueBytes: number) {
    this.#slots = slots
    this.#keyBytes = keyBytes
    this.#valueBytes = valueBytes
    this.#keys = new Uint8Array(slots * keyBytes)
    this.#values = new Uint8Array(slots * valueBytes)
    this.#lengths = new Int32Array(slots)
    this.#tags = new Int32Array(slots)
  }

  /** The values of all slots; the value of slot `n` begins at `n * valueBytes`. */
  get values(): Uint8Array {
    return this.#values
  }

  /** The slot that holds the value for this tag and slice, or -1. */
  find(tag: number, bytes: Uint8Array, start: number, end: number): number {
    const slot = this.#slotOf(tag, bytes, start, end)
    const found =
      this.#lengths[slot] === end - start + 1 &&
      this.#tags[slot] === tag &&
      sameSlice(this.#keys, slot * this.#keyBytes, bytes, start, end - start)
    return found ? slot : -1
  }

  /** Overwrites the slot. */
  put(tag: number, bytes: Uint8Array, start: number, end: number, value: Uint8Array): void {
    if (end - start > this.#keyBytes) return
    const slot = this.#slotOf(tag, bytes, start, end)
    // One more than the length, so that an empty slot matches nothing.
    this.#lengths[slot] = end - start + 1
    this.#tags[slot] = tag
    this.#keys.set(bytes.subarray(start, end), slot * this.#keyBytes)
    this.#values.set(value.subarray(0, this.#valueBytes), slot * this.#valueBytes)
  }

  #slotOf(tag: number, bytes: Uint8Array, start: number, end: number): number {
    const hash = idHashOf(bytes, start, end) + tag
    return (hash ^ (hash >>> 15)) & (this.#slots - 1)
  }
}
