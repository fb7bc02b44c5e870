/**
 * DER, strictly (X.690 §10, §11): one encoding for each value, or a refusal. It reads bytes that nobody has vouched for, so it
 * copies nothing, descends only where it is told to, and has no length that could wrap.
 */
import { CodedError, type ErrorCode } from '#core/errors.ts'

/** One value: its identifier octet, what is inside, and all its bytes as received. Views into the input. */
export type Der = { readonly tag: number; readonly content: Buffer; readonly bytes: Buffer }

/** Identifier octets. Tags of more than one octet do not occur in X.509. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  ia5: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const
const MULTIPLE_OCTETS = 0x1f
const CONTEXT_CONSTRUCTED = 0xa0
/** Of a length: up to 16 MiB, far above the limits of what is read here. */
const MAX_LENGTH_OCTETS = 3
const MAX_ARC_OCTETS = 4

/** Says what is wrong, under the code of what is being read: a certificate or a list. */
export class Malformed extends Error {}

/** Runs `read`; what it finds malformed is thrown as `code`, and begins with `what`. */
export function reading<T>(what: string, code: ErrorCode, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof Malformed) throw new CodedError(code, `${what} ${cause.message}`)
    throw cause
  }
}

/** Exactly one value, and nothing after it. */
export function parseDer(bytes: Buffer): Der {
  const der = valueAt(bytes, 0)
  if (der.bytes.byteLength !== bytes.byteLength) throw new Malformed('has bytes after its DER')
  return der
}

/** The values inside a constructed one. */
export function sequenceOf(der: Der | undefined): readonly Der[] {
  return valuesOf(contentOf(der, TAG.sequence))
}

export function setOf(der: Der | undefined): readonly Der[] {
  return valuesOf(contentOf(der, TAG.set))
}

/** The one value inside an explicit tag [n]. */
export function explicitOf(der: Der | undefined, tag: number): Der {
  return parseDer(contentOf(der, CONTEXT_CONSTRUCTED + tag))
}

export function isExplicit(der: Der | undefined, tag: number): boolean {
  return der?.tag === CONTEXT_CONSTRUCTED + tag
}

/** Dotted. Arcs beyond 28 bits do not occur in X.509. */
export function oidOf(der: Der | undefined): string {
  const arcs: number[] = []
  let arc = 0
  let octets = 0
  for (const octet of contentOf(der, TAG.oid)) {
    if (octets === 0 && octet === 0x80) throw new Malformed('has an OBJECT IDENTIFIER with an octet to spare')
    arc = arc * 128 + (octet & 0x7f)
    octets += 1
    if (octets > MAX_ARC_OCTETS) throw new Malformed('has an OBJECT IDENTIFIER that is too large')
    if (octet >= 0x80) continue
    arcs.push(arc)
    arc = 0
    octets = 0
  }
  const [first, ...rest] = arcs
  if (first === undefined || octets > 0) throw new Malformed('has an OBJECT IDENTIFIER that is cut short')
  // X.690 §8.19.4: the first two arcs share one subidentifier.
  const root = Math.min(Math.floor(first / 40), 2)
  return [root, first - root * 40, ...rest].join('.')
}

/** A non-negative INTEGER of at most `maxBytes` bytes, big-endian, without a sign byte. */
export function unsignedOf(der: Der | undefined, maxBytes: number): Buffer {
  const bytes = contentOf(der, TAG.integer)
  const [first, second = 0] = bytes
  if (first === undefined || first >= 0x80) throw new Malformed('has an INTEGER that is empty or negative')
  const signed = first === 0 && bytes.byteLength > 1
  if (signed && second < 0x80) throw new Malformed('has an INTEGER with a byte to spare')
  const value = signed ? bytes.subarray(1) : bytes
  if (value.byteLength > maxBytes) throw new Malformed(`has an INTEGER of more than ${maxBytes} bytes`)
  return value
}

/** A non-negative INTEGER up to `max`, which is below 2^32. */
export function integerOf(der: Der | undefined, max: number): number {
  const bytes = unsignedOf(der, 4)
  const value = bytes.readUIntBE(0, bytes.byteLength)
  if (value > max) throw new Malformed(`has an INTEGER that is not 0 to ${max}`)
  return value
}

export function isBoolean(der: Der | undefined): boolean {
  return der?.tag === TAG.boolean
}

/** DER has one encoding of TRUE, and leaves out FALSE where it is the default. */
export function isTrue(der: Der | undefined): boolean {
  const [value, ...more] = contentOf(der, TAG.boolean)
  return value === 0xff && more.length === 0
}

export function isNull(der: Der | undefined): boolean {
  return der?.bytes.toString('hex') === '0500'
}

export function octetsOf(der: Der | undefined): Buffer {
  return contentOf(der, TAG.octets)
}

/** A BIT STRING of whole bytes. */
export function wholeBitsOf(der: Der | undefined): Buffer {
  const bits = contentOf(der, TAG.bits)
  if (bits[0] !== 0) throw new Malformed('has a BIT STRING that is not of whole bytes')
  return bits.subarray(1)
}

export function utf8Of(der: Der | undefined): string {
  return contentOf(der, TAG.utf8).toString('latin1')
}

export function ia5Of(der: Der | undefined): string {
  const text = contentOf(der, TAG.ia5).toString('latin1')
  if (!/^[\x20-\x7e]{1,128}$/.test(text))
    throw new Malformed('has an IA5String that is not 1 to 128 printable characters')
  return text
}

/** UTCTime or GeneralizedTime (RFC 5280 §4.1.2.5), as `YYYYMMDDhhmmssZ`. */
export function timeOf(der: Der | undefined): string {
  if (der?.tag === TAG.generalizedTime) return der.content.toString('latin1')
  const text = contentOf(der, TAG.utcTime).toString('latin1')
  return `${text.slice(0, 2) < '50' ? '20' : '19'}${text}`
}

function valuesOf(content: Buffer): readonly Der[] {
  const values: Der[] = []
  for (let at = 0; at < content.byteLength; ) {
    const value = valueAt(content, at)
    values.push(value)
    at += value.bytes.byteLength
  }
  return values
}

function contentOf(der: Der | undefined, tag: number): Buffer {
  if (der?.tag !== tag) throw new Malformed('does not have the structure of X.509')
  return der.content
}

/** X.690 §8.1: identifier, length, content. Definite lengths in the fewest octets (§10.1). */
function valueAt(bytes: Buffer, at: number): Der {
  const [tag, first] = [bytes[at], bytes[at + 1]]
  if (tag === undefined || first === undefined) throw new Malformed('is cut short')
  if ((tag & MULTIPLE_OCTETS) === MULTIPLE_OCTETS) throw new Malformed('has a tag of more than one octet')
  let from = at + 2
  let length = first
  if (first >= 0x80) {
    const octets = first & 0x7f
    if (octets === 0 || octets > MAX_LENGTH_OCTETS || from + octets > bytes.byteLength)
      throw new Malformed('has a length that is indefinite, too long or cut short')
    length = bytes.readUIntBE(from, octets)
    if (length < 0x80 || length < 2 ** (8 * (octets - 1)))
      throw new Malformed('has a length in more octets than it needs')
    from += octets
  }
  const end = from + length
  if (end > bytes.byteLength) throw new Malformed('is cut short')
  return { tag, content: bytes.subarray(from, end), bytes: bytes.subarray(at, end) }
}
