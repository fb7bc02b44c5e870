/** The input under test, in memory that outlives the thread: what hung or died can be read from it. */
import type { Input } from './target.ts'

export const SLATE_BYTES = 4 * 2 ** 20
const MAX_PARTS = 64

/** Parts, then their lengths, in 32-bit words; then their bytes. */
export class Slate {
  readonly #heads: Uint32Array
  readonly #bytes: Uint8Array

  constructor(memory: SharedArrayBuffer) {
    this.#heads = new Uint32Array(memory, 0, 1 + MAX_PARTS)
    this.#bytes = new Uint8Array(memory, this.#heads.byteLength)
  }

  write(input: Input): void {
    let at = 0
    input.forEach((part, index) => {
      this.#bytes.set(part, at)
      this.#heads[1 + index] = part.byteLength
      at += part.byteLength
    })
    this.#heads[0] = input.length
  }

  read(): Input {
    const [count = 0, ...lengths] = this.#heads
    let at = 0
    return lengths.slice(0, count).map((length) => {
      const part = Buffer.from(this.#bytes.slice(at, at + length))
      at += length
      return part
    })
  }
}
