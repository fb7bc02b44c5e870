/**
 * A strict reader of DER (X.690 §10, §11): each value has one encoding, every other is refused. An attacker
 * controls the bytes, so the reader copies nothing, descends only where its caller asks, and computes no
 * length that could wrap.
 *
 * Every function throws `Malformed`. The values it returns are views of the input. `undefined` as an argument
 * is a value that is absent, which no reader accepts.
 */
import { CodedError, type ReportErrorCode } from '../errors/report.ts'

/** One value: its identifier octet, and the offsets of its start (`at`), its content (`from`) and its end. */
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
/** Lengths up to 16 MiB. The callers' own limits are far below that. */
const MAX_LENGTH_OCTETS = 3
const MAX_ARC_OCTETS = 4

/**
 * The bytes are not what they must be. The message is a predicate, such as `contains an invalid time`:
 * `reading` adds the subject and the code.
 */
export class Malformed extends Error {}

/**
 * Runs `read` and turns a `Malformed` into a `CodedError` with `code`. Its message is a sentence about
 * `what`, such as `a certificate contains an invalid time`. Other errors pass.
 */
export function reading<T>(what: string, code: ReportErrorCode, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof Malformed) throw new CodedError(code, `${what} ${cause.message}`)
    throw cause
  }
}

/** The one value in `bytes`. Refuses bytes after it. */
export function parseDer(bytes: Buffer): Der {
  return onlyValue(bytes, 0, bytes.byteLength)
}

/** The encoding of a value as received: identifier, length and content. */
export function bytesOf({ source, at, end }: Der): Buffer {
  return source.subarray(at, end)
}

/** The elements of a SEQUENCE. */
export function sequenceOf(der: Der | undefined): readonly Der[] {
  return valuesIn(ofTag(der, TAG.sequence))
}

/** The elements of a SET. */
export function setOf(der: Der | undefined): readonly Der[] {
  return valuesIn(ofTag(der, TAG.set))
}

/** The one value inside the explicit tag [n], `tag` being n. */
export function explicitOf(der: Der | undefined, tag: number): Der {
  const { source, from, end } = ofTag(der, CONTEXT_CONSTRUCTED + tag)
  return onlyValue(source, from, end)
}

/** True for a value with the explicit tag [n]. Reads no content. */
export function isExplicit(der: Der | undefined, tag: number): boolean {
  return der?.tag === CONTEXT_CONSTRUCTED + tag
}

/** An OBJECT IDENTIFIER in dotted form. Refuses arcs beyond 28 bits, which do not occur in X.509. */
export function oidOf(der: Der | undefined): string {
  const { source, from, end } = ofTag(der, TAG.oid)
  let dotted = ''
  let arc = 0
  let octets = 0
  for (let at = from; at < end; at += 1) {
    const octet = source[at] ?? 0
    if (octets === 0 && octet === 0x80)
      throw new Malformed('contains an OBJECT IDENTIFIER with a redundant octet')
    arc = arc * 128 + (octet & 0x7f)
    octets += 1
    if (octets > MAX_ARC_OCTETS) throw new Malformed('contains an OBJECT IDENTIFIER arc of more than 28 bits')
    if (octet >= 0x80) continue
    dotted += dotted === '' ? firstArcs(arc) : `.${arc}`
    arc = 0
    octets = 0
  }
  if (dotted === '' || octets > 0) throw new Malformed('contains an empty or truncated OBJECT IDENTIFIER')
  return dotted
}

/** X.690 §8.19.4: the first two arcs share one subidentifier. */
function firstArcs(joined: number): string {
  const first = Math.min(Math.floor(joined / 40), 2)
  return `${first}.${joined - first * 40}`
}

/** A non-negative INTEGER of up to `maxBytes` bytes, returned big-endian without the sign byte. */
export function unsignedOf(der: Der | undefined, maxBytes: number): Buffer {
  const bytes = contentOf(der, TAG.integer)
  const [first, second = 0] = bytes
  if (first === undefined || first >= 0x80) throw new Malformed('contains an empty or negative INTEGER')
  const signed = first === 0 && bytes.byteLength > 1
  if (signed && second < 0x80) throw new Malformed('contains an INTEGER with a redundant byte')
  const value = signed ? bytes.subarray(1) : bytes
  if (value.byteLength > maxBytes)
    throw new Malformed(`contains an INTEGER of ${value.byteLength} bytes, expected at most ${maxBytes}`)
  return value
}

/** A non-negative INTEGER up to `max`. `max` is below 2^32. */
export function integerOf(der: Der | undefined, max: number): number {
  const bytes = unsignedOf(der, 4)
  const value = bytes.readUIntBE(0, bytes.byteLength)
  if (value > max) throw new Malformed(`contains the INTEGER ${value}, expected 0 to ${max}`)
  return value
}

/** True for a BOOLEAN. Reads no content. */
export function isBoolean(der: Der | undefined): boolean {
  return der?.tag === TAG.boolean
}

/** True for the BOOLEAN TRUE, which has one encoding in DER. A FALSE that is the default is absent in DER. */
export function isTrue(der: Der | undefined): boolean {
  const { source, from, end } = ofTag(der, TAG.boolean)
  return end - from === 1 && source[from] === 0xff
}

/** True for NULL. */
export function isNull(der: Der | undefined): boolean {
  return der?.tag === TAG.nothing && der.from === der.end
}

/** The content of an OCTET STRING. */
export function octetsOf(der: Der | undefined): Buffer {
  return contentOf(der, TAG.octets)
}

/** The content of a BIT STRING whose number of bits is a multiple of eight. */
export function wholeBitsOf(der: Der | undefined): Buffer {
  const bits = contentOf(der, TAG.bits)
  if (bits[0] !== 0) throw new Malformed('contains a BIT STRING that is not a whole number of bytes')
  return bits.subarray(1)
}

/** The bytes of a UTF8String, one character per byte. The caller limits the characters to ASCII. */
export function utf8Of(der: Der | undefined): string {
  return contentOf(der, TAG.utf8).toString('latin1')
}

/** An IA5String of 1 to 128 printable characters. */
export function ia5Of(der: Der | undefined): string {
  const text = contentOf(der, TAG.ia5).toString('latin1')
  if (!/^[\x20-\x7e]{1,128}$/.test(text))
    throw new Malformed('contains an IA5String that is not 1 to 128 printable characters')
  return text
}

/**
 * The text of a UTCTime or GeneralizedTime, with the century that RFC 5280 §4.1.2.5 gives a UTCTime. A valid
 * time has the form `YYYYMMDDhhmmssZ`; the caller checks that.
 */
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
  if (value.end !== end) throw new Malformed('has bytes after the end of a DER value')
  return value
}

function contentOf(der: Der | undefined, tag: number): Buffer {
  const { source, from, end } = ofTag(der, tag)
  return source.subarray(from, end)
}

function ofTag(der: Der | undefined, tag: number): Der {
  if (der?.tag !== tag)
    throw new Malformed(`does not have the DER tag 0x${tag.toString(16)} where X.509 requires it`)
  return der
}

/**
 * The value at `at`: identifier, length, content (X.690 §8.1). It ends at `limit` or before. Its length is
 * definite and in the fewest octets (§10.1).
 */
function valueAt(source: Buffer, at: number, limit: number): Der {
  if (at + 2 > limit) throw new Malformed('is truncated')
  const [tag = 0, first = 0] = [source[at], source[at + 1]]
  if ((tag & MULTIPLE_OCTETS) === MULTIPLE_OCTETS)
    throw new Malformed('contains a tag of more than one octet')
  let from = at + 2
  let length = first
  if (first >= 0x80) {
    const octets = first & 0x7f
    if (octets === 0 || octets > MAX_LENGTH_OCTETS || from + octets > limit)
      throw new Malformed('contains a length that is indefinite, too long or truncated')
    length = source.readUIntBE(from, octets)
    if (length < 0x80 || length < 2 ** (8 * (octets - 1)))
      throw new Malformed('contains a length that is not in its shortest form')
    from += octets
  }
  const end = from + length
  if (end > limit) throw new Malformed('is truncated')
  return { source, tag, at, from, end }
}
