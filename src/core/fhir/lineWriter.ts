/** A growing line of output. Setting `length` back takes back the bytes after it. */

/** Up to this size, a loop is cheaper than a view and a call into native code. */
const COPY_IN_PLACE = 96

export class LineWriter {
  length = 0
  #bytes = Buffer.allocUnsafe(4096)

  /** Valid until the next write. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.length)
  }

  writeByte(byte: number): void {
    this.#reserve(1)
    this.#bytes[this.length++] = byte
  }

  write(bytes: Uint8Array): void {
    this.writeSlice(bytes, 0, bytes.length)
  }

  writeSlice(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start
    this.#reserve(size)
    const to = this.#bytes
    let length = this.length
    if (size > COPY_IN_PLACE) to.set(size === bytes.length ? bytes : bytes.subarray(start, end), length)
    else for (let at = start; at < end; at++) to[length++] = bytes[at] ?? 0
    this.length += size
  }

  /** `text` is ASCII. */
  writeText(text: string): void {
    this.#reserve(text.length)
    this.length += this.#bytes.write(text, this.length, 'latin1')
  }

  #reserve(size: number): void {
    if (this.length + size <= this.#bytes.length) return
    const wider = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.length + size))
    wider.set(this.#bytes.subarray(0, this.length))
    this.#bytes = wider
  }
}
