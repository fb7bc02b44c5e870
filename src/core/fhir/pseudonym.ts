/**
 * Pseudonyms of resources: HMAC-SHA-256 over `Type/id`. The key belongs to the provider and is bound to one
 * client and one purpose. A resource has the same pseudonym everywhere in that client's data, and another one
 * elsewhere. Without the key, no one can derive it (45 CFR 164.514(c)).
 */
import { createHmac, createSecretKey } from 'node:crypto'
import type { LineWriter } from './lineWriter.ts'
import { SliceCache } from './sliceCache.ts'

/** 128 bits in hex, which fits FHIR's id grammar. */
const PSEUDONYM_LENGTH = 32
/** FHIR R4 §2.24.0.1, `id`. */
const MAX_ID_LENGTH = 64
const REMEMBERED = 16_384
const SLASH = 0x2f

export class Pseudonymizer {
  readonly #secret: ReturnType<typeof createSecretKey>
  readonly #remembered = new SliceCache(REMEMBERED, MAX_ID_LENGTH, PSEUDONYM_LENGTH)

  /** Copies the key into a key object; the caller wipes its own bytes. */
  constructor(key: Uint8Array) {
    this.#secret = createSecretKey(key)
  }

  /**
   * Writes the pseudonym of `type/id`; the slice is the id. Returns false if it is not an id by FHIR's
   * grammar.
   */
  write(
    out: LineWriter,
    type: string,
    typeTag: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const slot = this.#remembered.find(typeTag, bytes, start, end)
    if (slot >= 0) {
      const from = slot * PSEUDONYM_LENGTH
      out.writeSlice(this.#remembered.values, from, from + PSEUDONYM_LENGTH)
      return true
    }
    if (!isId(bytes, start, end)) return false
    const hmac = createHmac('sha256', this.#secret).update(type).update(Uint8Array.of(SLASH))
    const digest = hmac.update(bytes.subarray(start, end)).digest('hex')
    const pseudonym = Buffer.from(digest.slice(0, PSEUDONYM_LENGTH), 'latin1')
    this.#remembered.put(typeTag, bytes, start, end, pseudonym)
    out.write(pseudonym)
    return true
  }
}

/** `[A-Za-z0-9.-]{1,64}` */
function isId(bytes: Uint8Array, start: number, end: number): boolean {
  if (end <= start || end - start > MAX_ID_LENGTH) return false
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0
    const letter = byte | 0x20
    const isLetter = letter >= 0x61 && letter <= 0x7a
    const isDigit = byte >= 0x30 && byte <= 0x39
    if (!isLetter && !isDigit && byte !== 0x2e && byte !== 0x2d) return false
  }
  return true
}
