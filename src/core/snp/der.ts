/**
 * DER, strictly (X.690 §10, §11): one encoding for each value, or a refusal. It reads bytes that nobody has vouched for, so it
 * copies nothing, descends only where it is told to, and has no length that could wrap.
 */
import { CodedError, type ReportErrorCode } from '../errors/report.ts'

/** One value: its identifier octet, and where in the input it begins, its content begins, and both end. */
export type Der = {
  readonly source: Buffer
  readonly tag: number
  readonly at: number
  readonly from: number
  readonly end: number
}

/** Identifier octets. Tags of more than one octet do not occur in X.509. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  nothing: 0x05,
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
export function reading<T>(what: string, code: ReportErrorCode, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof Malformed) throw new CodedError(code, `${what} ${cause.message}`)
    throw cause
  }
}

/** Exactly one value, and nothing after it. */
export function parseDer(bytes: Buffer): Der {
  return onlyValue(bytes, 0, bytes.byteLength)
}

/** All its bytes as received: a view, as everything that is read here. */
export function bytesOf({ source, at, end }: Der): Buffer {
  return source.subarray(at, end)
}

/** The values inside a constructed one. */
export function sequenceOf(der: Der | undefined): readonly Der[] {
  return valuesIn(ofTag(der, TAG.sequence))
}

export function setOf(der: Der | undefined): readonly Der[] {
  return valuesIn(ofTag(der, TAG.set))
}

/** The one value inside an explicit tag [n]. */
export function explicitOf(der: Der | undefined, tag: number): Der {
  const { source, from, end } = ofTag(der, CONTEXT_CONSTRUCTED + tag)
  return onlyValue(source, from, end)
}

export function isExplicit(der: Der | undefined, tag: number): boolean {
  return der?.tag === CONTEXT_CONSTRUCTED + tag
}

/** Dotted. Arcs beyond 28 bits do not occur in X.509. */
export function oidOf(der: Der | undefined): string {
  const { source, from, end } = ofTag(der, TAG.oid)
  let dotted = ''
  let arc = 0
  let octets = 0
  for (let at = from; at < end; at += 1) {
    const octet = source[at] ?? 0
    if (octets === 0 && octet === 0x80) throw new Malformed('has an OBJECT IDENTIFIER with an octet to spare')
    arc = arc * 128 + (octet & 0x7f)
    octets += 1
    if (octets > MAX_ARC_OCTETS) throw new Malformed('has an OBJECT IDENTIFIER that is too large')
    if (octet >= 0x80) continue
    dotted += dotted === '' ? firstArcs(arc) : `.${arc}`
    arc = 0
    octets = 0
  }
  if (dotted === '' || octets > 0) throw new Malformed('has an OBJECT IDENTIFIER that is cut short')
  return dotted
}

/** X.690 §8.19.4: the first two arcs share one subidentifier. */
function firstArcs(joined: number): string {
  const first = Math.min(Math.floor(joined / 40), 2)
  return `${first}.${joined - first * 40}`
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
  const { source, from, end } = ofTag(der, TAG.boolean)
  return end - from === 1 && source[from] === 0xff
}

export function isNull(der: Der | undefined): boolean {
  return der?.tag === TAG.nothing && der.from === der.end
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
  if (der?.tag === TAG.generalizedTime) return contentOf(der, TAG.generalizedTime).toString('latin1')
  const text = contentOf(der, TAG.utcTime).toString('latin1')
  return `${text.slice(0, 2) < '50' ? '20' : '19'}${text}`
}

function valuesIn({ source, from, end }: Der): readonly Der[] {
  const values: Der[] = []
  for (let at = from; at < end; ) {
    const value = valueAt(source, at, end)
    values.push(value)
    at = value.end
  }
  return values
}

function onlyValue(source: Buffer, at: number, end: number): Der {
  const value = valueAt(source, at, end)
  if (value.end !== end) throw new Malformed('has bytes after its DER')
  return value
}

function contentOf(der: Der | undefined, tag: number): Buffer {
  const { source, from, end } = ofTag(der, tag)
  return source.subarray(from, end)
}

function ofTag(der: Der | undefined, tag: number): Der {
  if (der?.tag !== tag) throw new Malformed('does not have the structure of X.509')
  return der
}

/** X.690 §8.1: identifier, length, content, before `limit`. Definite lengths in the fewest octets (§10.1). */
function valueAt(source: Buffer, at: number, limit: number): Der {
  if (at + 2 > limit) throw new Malformed('is cut short')
  const [tag = 0, first = 0] = [source[at], source[at + 1]]
  if ((tag & MULTIPLE_OCTETS) === MULTIPLE_OCTETS) throw new Malformed('has a tag of more than one octet')
  let from = at + 2
  let length = first
  if (first >= 0x80) {
    const octets = first & 0x7f
    if (octets === 0 || octets > MAX_LENGTH_OCTETS || from + octets > limit)
      throw new Malformed('has a length that is indefinite, too long or cut short')
    length = source.readUIntBE(from, octets)
    if (length < 0x80 || length < 2 ** (8 * (octets - 1)))
      throw new Malformed('has a length in more octets than it needs')
    from += octets
  }
  const end = from + length
  if (end > limit) throw new Malformed('is cut short')
  return { source, tag, at, from, end }
}
