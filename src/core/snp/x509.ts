/** What certificates and revocation lists have in common (RFC 5280): names, times, serial numbers, extensions. */
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

export type Extension = { readonly critical: boolean; readonly value: Buffer }
/** By dotted OBJECT IDENTIFIER. */
export type Extensions = ReadonlyMap<string, Extension>

/** OU=Engineering, C=US, L=Santa Clara, ST=CA, O=Advanced Micro Devices, in these string types and this order. */
const AMD = Buffer.from(
  '31143012060355040b0c0b456e67696e656572696e67310b30090603550406130255533114301206035504070c0b' +
    '53616e746120436c617261310b300906035504080c024341311f301d060355040a0c16416476616e636564204d69' +
    '63726f2044657669636573',
  'hex',
)
const COMMON_NAME = '2.5.4.3'

/** The last part of a name, whose other parts are the same in all that AMD issues. */
export function commonNameOf(name: Der | undefined): string {
  const last = sequenceOf(name).at(-1)
  if (name === undefined || last === undefined || !sameBytes(name.source.subarray(name.from, last.at), AMD))
    throw new Malformed("has a name that is not of AMD's form")
  const [attribute, ...others] = setOf(last)
  const [type, value, ...more] = sequenceOf(attribute)
  const text = utf8Of(value)
  if (oidOf(type) !== COMMON_NAME || others.length + more.length > 0 || !/^[A-Za-z0-9-]{1,32}$/.test(text))
    throw new Malformed("has a common name that is not of AMD's form")
  return text
}

/** Lower-case hex, whole bytes; at most 20 of them (RFC 5280 §4.1.2.2). AMD's leaves have 0. */
export function serialOf(der: Der | undefined): string {
  return toHex(unsignedOf(der, 20))
}

const TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/

export function unixTimeOf(der: Der | undefined): UnixSeconds {
  const time = fromCivil(TIME.exec(timeOf(der))?.slice(1).map(Number) ?? [])
  if (time === undefined) throw new Malformed('has a time that is none')
  return time
}

/** Each at most once; `critical` written only where it is TRUE. */
export function extensionsOf(list: Der): Extensions {
  const extensions = new Map<string, Extension>()
  for (const row of sequenceOf(list)) {
    const [name, ...fields] = sequenceOf(row)
    const hasCritical = isBoolean(fields[0])
    const critical = hasCritical && isTrue(fields[0])
    if (fields.length !== (hasCritical ? 2 : 1) || hasCritical !== critical)
      throw new Malformed('has an extension that is not of its form')
    const oid = oidOf(name)
    if (extensions.has(oid)) throw new Malformed(`has the extension ${oid} twice`)
    extensions.set(oid, { critical, value: octetsOf(fields.at(-1)) })
  }
  return extensions
}

/** Whoever does not know a critical extension may not use what it is in (RFC 5280 §4.2). */
export function assertCriticalKnown(extensions: Extensions, known: readonly string[]): void {
  for (const [oid, { critical }] of extensions)
    if (critical && !known.includes(oid)) throw new Malformed(`has an unknown critical extension ${oid}`)
}
