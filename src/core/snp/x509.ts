/**
 * The parts that certificates and revocation lists share (RFC 5280): names, times, serial numbers,
 * extensions. Every function throws `Malformed`.
 */
import { sameBytes, toHex } from '../bytes.ts'
import { fromCivil, type UnixSeconds } from '../time.ts'
import {
  type Der,
  isBoolean,
  isTrue,
  Malformed,
  octetsOf,
  oidOf,
  sequenceOf,
  setOf,
  timeOf,
  unsignedOf,
  utf8Of,
} from './der.ts'

/** One extension. `value` is the content of its OCTET STRING, a view of the input. */
type Extension = { readonly critical: boolean; readonly value: Buffer }
/** Extensions by dotted OBJECT IDENTIFIER. */
export type Extensions = ReadonlyMap<string, Extension>

/** OU=Engineering, C=US, L=Santa Clara, ST=CA, O=Advanced Micro Devices, in AMD's string types and order. */
const AMD = Buffer.from(
  '31143012060355040b0c0b456e67696e656572696e67310b30090603550406130255533114301206035504070c0b' +
    '53616e746120436c617261310b300906035504080c024341311f301d060355040a0c16416476616e636564204d69' +
    '63726f2044657669636573',
  'hex',
)
const COMMON_NAME = '2.5.4.3'

/**
 * The common name, which is the last part of a name. The parts before it must be the ones that AMD gives
 * every name. A common name is 1 to 32 letters, digits or hyphens.
 */
export function commonNameOf(name: Der | undefined): string {
  const last = sequenceOf(name).at(-1)
  if (name === undefined || last === undefined || !sameBytes(name.source.subarray(name.from, last.at), AMD))
    throw new Malformed("contains a name that does not begin with AMD's organisation")
  const [attribute, ...others] = setOf(last)
  const [type, value, ...more] = sequenceOf(attribute)
  const text = utf8Of(value)
  if (oidOf(type) !== COMMON_NAME || others.length + more.length > 0 || !/^[A-Za-z0-9-]{1,32}$/.test(text))
    throw new Malformed('contains a common name that is not 1 to 32 letters, digits or hyphens')
  return text
}

/** A serial number in lower-case hex: 1 to 20 bytes (RFC 5280 §4.1.2.2). AMD's leaves have 0. */
export function serialOf(der: Der | undefined): string {
  return toHex(unsignedOf(der, 20))
}

const TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/

/**
 * A time in seconds since the epoch. Refuses fractions of a second, zones other than Z and years before 1970.
 */
export function unixTimeOf(der: Der | undefined): UnixSeconds {
  const time = fromCivil(TIME.exec(timeOf(der))?.slice(1).map(Number) ?? [])
  if (time === undefined) throw new Malformed('contains an invalid time')
  return time
}

/** Reads a SEQUENCE of extensions. Each may occur once, and `critical` may be written only if it is TRUE. */
export function extensionsOf(list: Der): Extensions {
  const extensions = new Map<string, Extension>()
  for (const row of sequenceOf(list)) {
    const [name, ...fields] = sequenceOf(row)
    const hasCritical = isBoolean(fields[0])
    const critical = hasCritical && isTrue(fields[0])
    if (fields.length !== (hasCritical ? 2 : 1) || hasCritical !== critical)
      throw new Malformed('contains a malformed extension')
    const oid = oidOf(name)
    if (extensions.has(oid)) throw new Malformed(`contains the extension ${oid} twice`)
    extensions.set(oid, { critical, value: octetsOf(fields.at(-1)) })
  }
  return extensions
}

/** Refuses a critical extension that is not in `known` (RFC 5280 §4.2). */
export function assertCriticalKnown(extensions: Extensions, known: readonly string[]): void {
  for (const [oid, { critical }] of extensions)
    if (critical && !known.includes(oid))
      throw new Malformed(`contains the unknown critical extension ${oid}`)
}
