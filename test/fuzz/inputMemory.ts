/**
 * The input under test, in shared memory that outlives the thread: the input of a hang or a crash can be read
 * from it.
 */
import type { Input } from './target.ts'

/** Size of the memory. */
export const INPUT_MEMORY_BYTES = 4 * 2 ** 20
const MAX_PARTS = 64

/** The memory holds the number of parts and their lengths in 32-bit words, then the bytes of the parts. */
export class InputMemory {
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
