/** Builds and reads ASN.1 with node-forge. Its own certificates and requests know only RSA. */
import type { KeyObject } from 'node:crypto'
import forge from 'node-forge'

const { asn1, pki } = forge
const { Class, Type } = asn1

export type Node = forge.asn1.Asn1

export const sequence = (...parts: readonly Node[]): Node =>
  asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, [...parts])

export const explicit = (tag: number, part: Node): Node =>
  asn1.create(Class.CONTEXT_SPECIFIC, tag as forge.asn1.Type, true, [part])

/** The primitive value of an implicit tag. */
export const implicit = (tag: number, content: Uint8Array): Node =>
  asn1.create(Class.CONTEXT_SPECIFIC, tag as forge.asn1.Type, false, binary(content))

export const oid = (dotted: string): Node =>
  asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(dotted).getBytes())

/** Big-endian, positive. */
export function integer(value: number | Uint8Array): Node {
  const bytes = typeof value === 'number' ? asn1.integerToDer(value).getBytes() : binary(unsigned(value))
  return asn1.create(Class.UNIVERSAL, Type.INTEGER, false, bytes)
}

/** The BOOLEAN TRUE. */
export const yes = (): Node => asn1.create(Class.UNIVERSAL, Type.BOOLEAN, false, '\xff')

export const enumerated = (value: number): Node =>
  asn1.create(Class.UNIVERSAL, Type.ENUMERATED, false, asn1.integerToDer(value).getBytes())

export const octets = (bytes: Uint8Array): Node =>
  asn1.create(Class.UNIVERSAL, Type.OCTETSTRING, false, binary(bytes))

/** A BIT STRING of whole bytes. */
export const bits = (bytes: Uint8Array): Node =>
  asn1.create(Class.UNIVERSAL, Type.BITSTRING, false, `\0${binary(bytes)}`)

/** UTCTime until 2049, GeneralizedTime afterwards (RFC 5280 §4.1.2.5). `seconds` is since the epoch. */
export function time(seconds: number): Node {
  const date = new Date(seconds * 1000)
  const isUtc = date.getUTCFullYear() < 2050
  return asn1.create(
    Class.UNIVERSAL,
    isUtc ? Type.UTCTIME : Type.GENERALIZEDTIME,
    false,
    isUtc ? asn1.dateToUtcTime(date) : asn1.dateToGeneralizedTime(date),
  )
}

/** A name with one attribute. */
export function commonName(text: string): Node {
  const value = asn1.create(Class.UNIVERSAL, Type.UTF8, false, forge.util.encodeUtf8(text))
  const attribute = sequence(oid(pki.oids['commonName'] ?? ''), value)
  return sequence(asn1.create(Class.UNIVERSAL, Type.SET, true, [attribute]))
}

export const publicKeyInfo = (key: KeyObject): Node => fromDer(key.export({ format: 'der', type: 'spki' }))

/** Throws for anything but one value. What forge accepts is more than DER: compare with `toDer`. */
export function fromDer(der: Buffer): Node {
  // The declared options lack these; BIT STRINGs stay bytes.
  const options = { strict: true, parseAllBytes: true, decodeBitStrings: false } as unknown as boolean
  return asn1.fromDer(binary(der), options)
}

export const isSequence = (node: Node | undefined): node is Node => isOf(node, Type.SEQUENCE)
export const isBits = (node: Node | undefined): node is Node => isOf(node, Type.BITSTRING)

function isOf(node: Node | undefined, type: forge.asn1.Type): boolean {
  return node?.tagClass === Class.UNIVERSAL && node.type === type
}

export function toDer(node: Node): Buffer {
  return Buffer.from(asn1.toDer(node).getBytes(), 'latin1')
}

export function toPem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

function binary(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

/** Without zeros in front, and with the one that keeps an INTEGER positive. */
function unsigned(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => byte !== 0)
  const magnitude = start < 0 ? Buffer.of(0) : bytes.subarray(start)
  return (magnitude[0] ?? 0) < 0x80 ? magnitude : Buffer.concat([Buffer.of(0), magnitude])
}
