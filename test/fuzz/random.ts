/**
 * Pseudorandom numbers from a seed, a name and an index (sfc32, public domain). Each input has its own
 * stream, so it can be made again without the inputs before it. Nothing here is secret.
 */
export class Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number, name: string, index: number) {
    this.#a = seed | 0
    this.#b = hashOf(name)
    this.#c = index | 0
    for (let round = 0; round < 12; round += 1) this.u32()
  }

  u32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** A number from 0 to `limit` − 1. */
  below(limit: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * limit)
  }

  /** True once in `of` times, on average. */
  oneIn(of: number): boolean {
    return this.below(of) === 0
  }

  pick<T>(from: readonly [T, ...T[]] | readonly T[]): T {
    const picked = from[this.below(from.length)]
    if (picked === undefined) throw new RangeError('cannot pick from an empty list')
    return picked
  }

  bytes(size: number): Buffer {
    const bytes = Buffer.allocUnsafe(size)
    for (let at = 0; at < size; at += 1) bytes[at] = this.u32() >>> 24
    return bytes
  }

  /** A number from 1 to `limit`; small numbers are more frequent. */
  few(limit: number): number {
    return 1 + this.below(1 + this.below(limit))
  }
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash
}
