/**
 * Bytes and their text forms. In JSON, bytes are unpadded base64url (RFC 4648 §5) and identifiers are
 * lower-case hex. The decoders are strict: each value has one text and nothing is ignored, so a signed or
 * hashed text has one spelling.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { CodedError } from './errors/report.ts'

const HEX = /^(?:[0-9a-f]{2})*$/
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'

export function toBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}

/** Throws `encoding.invalid` on padding, foreign characters or non-zero trailing bits. */
export function fromBase64url(text: string, field = 'value'): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  // The decoder skips unknown characters. Only a text that encodes back to itself is the one text of its
  // bytes.
  if (bytes.toString('base64url') !== text)
    throw new CodedError('encoding.invalid', `${field} is not unpadded base64url`)
  return bytes
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** Throws `encoding.invalid` on upper case, odd length or foreign characters. */
export function fromHex(text: string, field = 'value'): Buffer {
  if (!HEX.test(text)) throw new CodedError('encoding.invalid', `${field} is not lower-case hex`)
  return Buffer.from(text, 'hex')
}

/** Lower-case base32 without padding (RFC 4648 §6). */
export function toBase32(bytes: Uint8Array): string {
  let text = ''
  let buffer = 0
  let bits = 0
  for (const byte of bytes) {
    // Used bits drop out at the upper end of 32.
    buffer = (buffer << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += BASE32[(buffer >>> bits) & 31]
    }
  }
  return bits === 0 ? text : text + BASE32[(buffer << (5 - bits)) & 31]
}

export function utf8(text: string): Buffer {
  return Buffer.from(text, 'utf8')
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Throws `encoding.invalid` if the bytes are not UTF-8. A BOM is kept, so that a parser refuses it. */
export function fromUtf8(bytes: Uint8Array, field = 'value'): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new CodedError('encoding.invalid', `${field} is not UTF-8`, { cause })
  }
}

export function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

export function sha384(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha384')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

export function sha512(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha512')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** True for equal length and content, in time that depends only on the length. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b)
}

export function isZero(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0) return false
  return true
}

/** A view, not a copy, that keeps the offset of a pooled `Buffer`. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
