/**
 * A map from keys of one length to values of one length that takes about 12 bytes per entry beside them. An
 * audit remembers millions of ids with it, where a Map of texts would take ten times as much.
 */
import { hash } from 'node:crypto'

const ROWS_PER_CHUNK = 4096
const FIRST_SLOTS = 1024

export class CompactTable {
  readonly #keyBytes: number
  readonly #rowBytes: number
  // Rows in the order of their coming, in chunks: growing copies nothing.
  readonly #chunks: Buffer[] = []
  // Open addressing: the number of a row, plus one; 0 is free.
  #slots = new Uint32Array(FIRST_SLOTS)
  #size = 0

  constructor(keyBytes: number, valueBytes: number) {
    this.#keyBytes = keyBytes
    this.#rowBytes = keyBytes + valueBytes
  }

  get size(): number {
    return this.#size
  }

  /** The number of the key's row, or -1. */
  find(key: Uint8Array): number {
    return (this.#slots[this.#slotOf(key)] ?? 0) - 1
  }

  /** The number of the key's row. A new row has a value of zeros. */
  add(key: Uint8Array): { readonly row: number; readonly isNew: boolean } {
    const slot = this.#slotOf(key)
    const known = this.#slots[slot] ?? 0
    if (known !== 0) return { row: known - 1, isNew: false }
    const row = this.#size
    if (row % ROWS_PER_CHUNK === 0) this.#chunks.push(Buffer.alloc(ROWS_PER_CHUNK * this.#rowBytes))
    this.#size += 1
    this.keyOf(row).set(key)
    this.#slots[slot] = this.#size
    if (this.#size * 2 > this.#slots.length) this.#enlarge()
    return { row, isNew: true }
  }

  /** Views of the row itself. */
  keyOf(row: number): Buffer {
    return this.#bytesOf(row, 0, this.#keyBytes)
  }

  valueOf(row: number): Buffer {
    return this.#bytesOf(row, this.#keyBytes, this.#rowBytes)
  }

  #bytesOf(row: number, start: number, end: number): Buffer {
    const at = (row % ROWS_PER_CHUNK) * this.#rowBytes
    const chunk = this.#chunks[Math.floor(row / ROWS_PER_CHUNK)] ?? Buffer.alloc(0)
    return chunk.subarray(at + start, at + end)
  }

  /** The slot with the key, or the free one that it would take. */
  #slotOf(key: Uint8Array): number {
    const mask = this.#slots.length - 1
    // The author of a collection chooses the keys; digests spread them.
    let slot = hash('sha256', key, 'buffer').readUInt32LE() & mask
    for (;;) {
      const taken = this.#slots[slot] ?? 0
      if (taken === 0 || this.keyOf(taken - 1).equals(key)) return slot
      slot = (slot + 1) & mask
    }
  }

  #enlarge(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2)
    for (let row = 0; row < this.#size; row += 1) this.#slots[this.#slotOf(this.keyOf(row))] = row + 1
  }
}

/** A set of lower-case hex ids of one length. */
export class IdSet {
  readonly #table: CompactTable

  constructor(bytes: number) {
    this.#table = new CompactTable(bytes, 0)
  }

  has(id: string): boolean {
    return this.#table.find(Buffer.from(id, 'hex')) !== -1
  }

  /** False if it was there before. */
  add(id: string): boolean {
    return this.#table.add(Buffer.from(id, 'hex')).isNew
  }
}
