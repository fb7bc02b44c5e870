/**
 * An X.509 certificate (RFC 5280) in the form that AMD issues. Its statements count only after its signature
 * has been verified. Every function here throws `Malformed`.
 */
import type { UnixSeconds } from '../time.ts'
import { bytesOf, explicitOf, integerOf, isTrue, Malformed, parseDer, sequenceOf } from './der.ts'
import { MAX_CERTIFICATE_BYTES } from './layout.ts'
import type { PublicKey } from './publicKey.ts'
import { isSignedBy, parseSigned, type Signed } from './signed.ts'
import {
  assertCriticalKnown,
  commonNameOf,
  type Extensions,
  extensionsOf,
  serialOf,
  unixTimeOf,
} from './x509.ts'

/** The fields of a certificate that this verifier uses. */
export type Certificate = {
  readonly signed: Signed
  /** Serial number, lower-case hex. */
  readonly serial: string
  /** Common names. The other parts of a name are fixed. */
  readonly issuer: string
  readonly subject: string
  readonly notBefore: UnixSeconds
  readonly notAfter: UnixSeconds
  /** SubjectPublicKeyInfo in DER. */
  readonly spki: Buffer
  readonly extensions: Extensions
}

/**
 * TBSCertificate: version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo,
 * extensions.
 */
const SIGNATURE_AT = 2
const X509_V3 = 2

/**
 * Parses one certificate in DER, at most `MAX_CERTIFICATE_BYTES`. Believe nothing in it before `isIssuedBy`
 * holds.
 */
export function parseCertificate(der: Uint8Array): Certificate {
  if (der.byteLength > MAX_CERTIFICATE_BYTES)
    throw new Malformed(`has ${der.byteLength} bytes, expected at most ${MAX_CERTIFICATE_BYTES}`)
  const signed = parseSigned(Buffer.from(der.buffer, der.byteOffset, der.byteLength), SIGNATURE_AT)
  const [version, serial, , issuer, validity, subject, spki, extensions, ...more] = signed.parts
  if (integerOf(explicitOf(version, 0), X509_V3) !== X509_V3) throw new Malformed('is not X.509 version 3')
  const [notBefore, notAfter, ...later] = sequenceOf(validity)
  if (later.length > 0) throw new Malformed('has a validity with more than two times')
  if (spki === undefined || more.length > 0)
    throw new Malformed(`has ${signed.parts.length} parts, expected the 8 of AMD's certificates`)
  return {
    signed,
    serial: serialOf(serial),
    issuer: commonNameOf(issuer),
    subject: commonNameOf(subject),
    notBefore: unixTimeOf(notBefore),
    notAfter: unixTimeOf(notAfter),
    spki: bytesOf(spki),
    extensions: extensionsOf(explicitOf(extensions, 3)),
  }
}

/** True if the issuer's name and key match: RFC 5280 §6.1.3 (a)(1) and (a)(4). */
export function isIssuedBy(
  certificate: Certificate,
  { subject, publicKey }: { readonly subject: string; readonly publicKey: PublicKey },
): boolean {
  return certificate.issuer === subject && isSignedBy(certificate.signed, publicKey)
}

const OID = { keyUsage: '2.5.29.15', basicConstraints: '2.5.29.19' } as const

/** Bits 5 and 6 of the BIT STRING (RFC 5280 §4.2.1.3), counted from the most significant. */
const KEY_CERT_SIGN = 0x04
const CRL_SIGN = 0x02

/**
 * Refuses a certificate that may not act as an ARK: an ARK certifies authorities and signs revocation lists.
 */
export function assertRoot(certificate: Certificate): void {
  assertAuthority(certificate, undefined, KEY_CERT_SIGN | CRL_SIGN)
}

/** Refuses a certificate that may not act as an ASK or ASVK: it certifies leaves and no further authority. */
export function assertIntermediate(certificate: Certificate): void {
  assertAuthority(certificate, 0, KEY_CERT_SIGN)
}

function assertAuthority({ extensions }: Certificate, pathLength: 0 | undefined, usages: number): void {
  assertCriticalKnown(extensions, [OID.keyUsage, OID.basicConstraints])
  const constraints = extensions.get(OID.basicConstraints)
  const usage = extensions.get(OID.keyUsage)
  if (constraints?.critical !== true || usage?.critical !== true)
    throw new Malformed('lacks critical basic constraints or critical key usage, as an authority must have')
  const [authority, path, ...more] = sequenceOf(parseDer(constraints.value))
  const limit = path === undefined ? undefined : integerOf(path, 0)
  if (!isTrue(authority) || limit !== pathLength || more.length > 0)
    throw new Malformed('has basic constraints that AMD does not give to such an authority')
  // AMD's count of unused bits is not strict DER: only the tag, the length and the one content byte are read.
  const [tag, length, , bits = 0] = usage.value
  if (usage.value.byteLength !== 4 || tag !== 0x03 || length !== 2 || (bits & usages) !== usages)
    throw new Malformed('has a key usage that does not allow what this authority signs')
}

/**
 * Refuses a VCEK or VLEK certificate that could act as an authority. AMD's have no basic constraints and no
 * key usage.
 */
export function assertLeaf({ extensions }: Certificate): void {
  assertCriticalKnown(extensions, [])
  if (extensions.has(OID.basicConstraints))
    throw new Malformed('has basic constraints, which a VCEK or VLEK certificate must not have')
}
