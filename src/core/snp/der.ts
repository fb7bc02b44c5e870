/**
 * DER, strictly. node-forge's decoder is lax (long lengths, padded integers), so a value is accepted only where encoding it
 * again gives the same bytes; it is called on certificates alone that node:crypto has verified up to a trusted root.
 */
import forge from 'node-forge'
import { sameBytes, toHex } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'

export type Der = forge.asn1.Asn1

const { UNIVERSAL, CONTEXT_SPECIFIC } = forge.asn1.Class
const { Type } = forge.asn1

/** Throws `chain.malformed` unless the bytes are the DER of exactly one value. */
export function parseDer(bytes: Uint8Array): Der {
  let der: Der
  try {
    der = forge.asn1.fromDer(binary(bytes), true)
    if (sameBytes(encodeDer(der), bytes)) return der
  } catch (cause) {
    throw new CodedError('chain.malformed', 'a certificate is not DER', { cause })
  }
  throw malformed('is not in distinguished encoding')
}

export function encodeDer(der: Der): Buffer {
  return Buffer.from(forge.asn1.toDer(der).getBytes(), 'binary')
}

export function sequenceOf(der: Der | undefined): readonly Der[] {
  return childrenOf(der, UNIVERSAL, Type.SEQUENCE)
}

/** The one value inside an explicit tag [n]. */
export function explicitOf(der: Der | undefined, tag: number): Der {
  const [inner, ...more] = childrenOf(der, CONTEXT_SPECIFIC, tag)
  if (inner === undefined || more.length > 0) throw malformed(`has no single value in [${tag}]`)
  return inner
}

export function oidOf(der: Der | undefined): string {
  return forge.asn1.derToOid(contentOf(der, Type.OID))
}

/** A non-negative INTEGER up to `max`. */
export function integerOf(der: Der | undefined, max: number): number {
  const bytes = Buffer.from(contentOf(der, Type.INTEGER), 'binary')
  // Six bytes are the most that readIntBE takes; every limit here is far less.
  const value = bytes.byteLength >= 1 && bytes.byteLength <= 6 ? bytes.readIntBE(0, bytes.byteLength) : -1
  if (value < 0 || value > max) throw malformed(`has an INTEGER that is not 0 to ${max}`)
  return value
}

/** DER has one encoding of TRUE, and leaves out FALSE where it is the default. */
export function isTrue(der: Der | undefined): boolean {
  return contentOf(der, Type.BOOLEAN) === '\xff'
}

export function isBoolean(der: Der | undefined): boolean {
  return der?.tagClass === UNIVERSAL && der.type === Type.BOOLEAN
}

export function isNull(der: Der | undefined): boolean {
  return der !== undefined && toHex(encodeDer(der)) === '0500'
}

export function octetsOf(der: Der | undefined): Buffer {
  return Buffer.from(contentOf(der, Type.OCTETSTRING), 'binary')
}

export function ia5Of(der: Der | undefined): string {
  const text = contentOf(der, IA5STRING)
  if (!/^[\x20-\x7e]{1,128}$/.test(text))
    throw malformed('has an IA5String that is not 1 to 128 printable characters')
  return text
}

/** UTCTime or GeneralizedTime (RFC 5280 §4.1.2.5), as `YYYYMMDDhhmmssZ`. */
export function timeOf(der: Der | undefined): string {
  const generalized = der?.type === Type.GENERALIZEDTIME
  const text = contentOf(der, generalized ? Type.GENERALIZEDTIME : Type.UTCTIME)
  return generalized ? text : `${text.slice(0, 2) < '50' ? '20' : '19'}${text}`
}

export function malformed(what: string): CodedError {
  return new CodedError('chain.malformed', `a certificate ${what}`)
}

const IA5STRING = 22

function childrenOf(der: Der | undefined, tagClass: forge.asn1.Class, type: number): readonly Der[] {
  if (
    der?.tagClass !== tagClass ||
    Number(der.type) !== type ||
    !der.constructed ||
    !Array.isArray(der.value)
  )
    throw malformed('does not have the structure of X.509')
  return der.value
}

function contentOf(der: Der | undefined, type: number): string {
  if (
    der?.tagClass !== UNIVERSAL ||
    Number(der.type) !== type ||
    der.constructed ||
    typeof der.value !== 'string'
  )
    throw malformed('does not have the structure of X.509')
  return der.value
}

function binary(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('binary')
}
