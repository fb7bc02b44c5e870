/** Issues certificates in AMD's form: the same names, extensions and signature parameters. */
import { constants, createHash, type KeyObject, sign } from 'node:crypto'
import {
  bits,
  boolean,
  explicit,
  implicit,
  integer,
  nothing,
  octets,
  oid,
  printable,
  sequence,
  set,
  time,
  utf8Text,
} from './der.ts'

export type CertificateRequest = {
  readonly serial: number
  /** Common names. The other attributes of a name are AMD's. */
  readonly issuer: string
  readonly subject: string
  /** Seconds since the epoch. */
  readonly notBefore: number
  readonly notAfter: number
  readonly publicKey: KeyObject
  /** Made by `extension`, in order. */
  readonly extensions: readonly Buffer[]
}

/** A way to sign: the AlgorithmIdentifier in the certificate, and the signature over its TBS bytes. */
export type SignatureScheme = {
  readonly algorithm: Buffer
  readonly sign: (tbs: Buffer) => Buffer
}

/** AMD's scheme: RSASSA-PSS, SHA-384, MGF1 over SHA-384, a salt of 48 bytes. */
export function amdScheme(key: KeyObject): SignatureScheme {
  const padding = constants.RSA_PKCS1_PSS_PADDING
  return {
    algorithm: PSS_SHA384,
    sign: (tbs) => sign('sha384', tbs, { key, padding, saltLength: 48 }),
  }
}

/** Returns DER. */
export function issueCertificate(request: CertificateRequest, scheme: SignatureScheme): Buffer {
  const tbs = sequence(
    explicit(0, integer(2)),
    integer(request.serial),
    scheme.algorithm,
    nameOf(request.issuer),
    sequence(time(request.notBefore), time(request.notAfter)),
    nameOf(request.subject),
    request.publicKey.export({ format: 'der', type: 'spki' }),
    explicit(3, sequence(...request.extensions)),
  )
  return sequence(tbs, scheme.algorithm, bits(scheme.sign(tbs)))
}

export function extension(name: string, value: Uint8Array, critical = false): Buffer {
  return sequence(oid(name), ...(critical ? [boolean(true)] : []), octets(value))
}

/** The extensions of an issuing certificate. An ASK may only sign leaf certificates (`pathLength` 0). */
export function authorityExtensions(pathLength?: 0): readonly Buffer[] {
  const constraints = sequence(boolean(true), ...(pathLength === undefined ? [] : [integer(pathLength)]))
  // keyCertSign, and cRLSign for the ARK: bits 5 and 6.
  const usage = pathLength === undefined ? bits(Buffer.of(0x06), 1) : bits(Buffer.of(0x04), 2)
  return [extension('2.5.29.15', usage, true), extension('2.5.29.19', constraints, true)]
}

/** The key identifier of RFC 5280 §4.2.1.1: SHA-1 over the public key's bits. */
function keyIdentifier(publicKey: KeyObject): Buffer {
  // The modulus and exponent of an RSA key in PKCS#1 are the bits of its BIT STRING.
  return createHash('sha1')
    .update(publicKey.export({ format: 'der', type: 'pkcs1' }))
    .digest()
}

export function authorityKeyIdentifier(issuerKey: KeyObject): Buffer {
  return extension('2.5.29.35', sequence(implicit(0, keyIdentifier(issuerKey))))
}

export function subjectKeyIdentifier(publicKey: KeyObject): Buffer {
  return extension('2.5.29.14', octets(keyIdentifier(publicKey)))
}

export function crlDistributionPoint(url: string): Buffer {
  const fullName = explicit(0, explicit(0, implicit(6, Buffer.from(url, 'latin1'))))
  return extension('2.5.29.31', sequence(sequence(fullName)))
}

const SHA384 = sequence(oid('2.16.840.1.101.3.4.2.2'), nothing())
const PSS_SHA384 = sequence(
  oid('1.2.840.113549.1.1.10'),
  sequence(
    explicit(0, SHA384),
    explicit(1, sequence(oid('1.2.840.113549.1.1.8'), SHA384)),
    explicit(2, integer(48)),
  ),
)

/** AMD's distinguished name with this common name. */
export function nameOf(commonName: string): Buffer {
  const attribute = (name: string, text: Buffer) => set(sequence(oid(name), text))
  return sequence(
    attribute('2.5.4.11', utf8Text('Engineering')),
    attribute('2.5.4.6', printable('US')),
    attribute('2.5.4.7', utf8Text('Santa Clara')),
    attribute('2.5.4.8', utf8Text('CA')),
    attribute('2.5.4.10', utf8Text('Advanced Micro Devices')),
    attribute('2.5.4.3', utf8Text(commonName)),
  )
}
