/** Writes DER. One function per type, so that code that builds a certificate reads like its ASN.1. */
import forge from 'node-forge'

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return tagged(0x30, ...parts)
}

export function set(...parts: readonly Uint8Array[]): Buffer {
  return tagged(0x31, ...parts)
}

/** An explicit tag [n]. */
export function explicit(tag: number, content: Uint8Array): Buffer {
  return tagged(0xa0 + tag, content)
}

/** An implicit tag [n] around a primitive value. */
export function implicit(tag: number, content: Uint8Array): Buffer {
  return tagged(0x80 + tag, content)
}

export function oid(dotted: string): Buffer {
  return tagged(0x06, Buffer.from(forge.asn1.oidToDer(dotted).getBytes(), 'binary'))
}

/** A non-negative number. */
export function integer(value: number): Buffer {
  const hex = value.toString(16)
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return tagged(0x02, (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.from([0, ...bytes]))
}

export function boolean(value: boolean): Buffer {
  return tagged(0x01, Buffer.from([value ? 0xff : 0]))
}

export function nothing(): Buffer {
  return tagged(0x05)
}

export function octets(bytes: Uint8Array): Buffer {
  return tagged(0x04, bytes)
}

/** A BIT STRING of whole bytes, without the last `unused` bits. */
export function bits(bytes: Uint8Array, unused = 0): Buffer {
  return tagged(0x03, Buffer.from([unused]), bytes)
}

export function utf8Text(text: string): Buffer {
  return tagged(0x0c, Buffer.from(text, 'utf8'))
}

export function printable(text: string): Buffer {
  return tagged(0x13, Buffer.from(text, 'latin1'))
}

export function ia5(text: string): Buffer {
  return tagged(0x16, Buffer.from(text, 'latin1'))
}

/** UTCTime until 2049, GeneralizedTime afterwards (RFC 5280 §4.1.2.5). `seconds` is since the epoch. */
export function time(seconds: number): Buffer {
  const text = new Date(seconds * 1000).toISOString().replace(/[-:T]|\.\d+/g, '')
  return text < '2050' ? tagged(0x17, Buffer.from(text.slice(2))) : tagged(0x18, Buffer.from(text))
}

function tagged(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.byteLength), content])
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length])
  if (length < 0x100) return Buffer.from([0x81, length])
  if (length < 0x10000) return Buffer.from([0x82, length >> 8, length & 0xff])
  return Buffer.from([0x83, length >> 16, (length >> 8) & 0xff, length & 0xff])
}
