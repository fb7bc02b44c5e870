/** The parts of an X.509 certificate (RFC 5280) that AMD's chains use. */
import { X509Certificate } from 'node:crypto'
import { sameBytes } from '#core/bytes.ts'
import { CodedError, under } from '#core/errors.ts'
import { parseRfc3339, type UnixSeconds } from '#core/time.ts'
import {
  type Der,
  encodeDer,
  explicitOf,
  integerOf,
  isBoolean,
  isNull,
  isTrue,
  malformed,
  octetsOf,
  oidOf,
  parseDer,
  sequenceOf,
  timeOf,
} from './der.ts'
import { MAX_CERTIFICATE_BYTES } from './layout.ts'

type Extension = { readonly critical: boolean; readonly value: Buffer }

export type CertificateBody = {
  readonly notBefore: UnixSeconds
  readonly notAfter: UnixSeconds
  readonly extensions: ReadonlyMap<string, Extension>
}

/** For verifying its signature, and no more: what it says is read by `readBody`, afterwards. Throws `chain.malformed`. */
export function openCertificate(der: Uint8Array): X509Certificate {
  if (der.byteLength > MAX_CERTIFICATE_BYTES)
    throw malformed(`has ${der.byteLength} bytes, the limit is ${MAX_CERTIFICATE_BYTES}`)
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(der)
  } catch (cause) {
    throw new CodedError('chain.malformed', 'a certificate is not X.509 in DER', { cause })
  }
  // The constructor takes PEM and trailing bytes too.
  if (!sameBytes(certificate.raw, der)) throw malformed('is not exactly one DER value')
  return certificate
}

/** `issuer` signed it. A key or algorithm that OpenSSL refuses to use is no signature either. */
export function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.issuer === issuer.subject && certificate.verify(issuer.publicKey)
  } catch {
    return false
  }
}

/**
 * Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature }. Only for a certificate whose signature
 * has been verified. Throws `chain.malformed`, also where it is signed otherwise than AMD signs: RSASSA-PSS, SHA-384.
 */
export function readBody(der: Uint8Array): CertificateBody {
  const [tbs, outer, signature, ...more] = sequenceOf(parseDer(der))
  const [version, , inner, , validity, , , ...rest] = sequenceOf(tbs)
  if (signature === undefined || more.length > 0) throw malformed('has more or less than three parts')
  if (integerOf(explicitOf(version, 0), 2) !== 2) throw malformed('is not of version 3')
  const extensions = rest.length === 1 ? rest[0] : undefined
  if (inner === undefined || outer === undefined || !sameBytes(encodeDer(inner), encodeDer(outer)))
    throw malformed('names two signature algorithms')
  assertPss(inner)
  const [notBefore, notAfter, ...later] = sequenceOf(validity)
  if (later.length > 0) throw malformed('has a validity of more than two times')
  return {
    notBefore: unixTimeOf(notBefore),
    notAfter: unixTimeOf(notAfter),
    extensions: extensionsOf(explicitOf(extensions, 3)),
  }
}

/** AMD's subjects and issuers in OpenSSL's order: all but the common name is the same everywhere. */
export function amdName(commonName: string): string {
  return `OU=Engineering\nC=US\nL=Santa Clara\nST=CA\nO=Advanced Micro Devices\nCN=${commonName}`
}

const OID = {
  pss: '1.2.840.113549.1.1.10',
  mgf1: '1.2.840.113549.1.1.8',
  sha384: '2.16.840.1.101.3.4.2.2',
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
} as const

const SALT_BYTES = 48

/** RSASSA-PSS-params (RFC 4055 §3.1). The trailer field has one value, which newer certificates leave out as DER demands. */
function assertPss(algorithm: Der): void {
  const [name, parameters, ...more] = sequenceOf(algorithm)
  if (oidOf(name) !== OID.pss || more.length > 0) throw malformed('is not signed with RSASSA-PSS')
  const [hash, mask, salt, trailer, ...left] = sequenceOf(parameters)
  const [mgf, mgfHash, ...extra] = sequenceOf(explicitOf(mask, 1))
  const isPss =
    isSha384(explicitOf(hash, 0)) &&
    oidOf(mgf) === OID.mgf1 &&
    isSha384(mgfHash) &&
    extra.length === 0 &&
    integerOf(explicitOf(salt, 2), 512) === SALT_BYTES &&
    (trailer === undefined || integerOf(explicitOf(trailer, 3), 1) === 1) &&
    left.length === 0
  if (!isPss) throw malformed('is not signed with SHA-384, MGF1 over SHA-384 and a salt of 48 bytes')
}

function isSha384(algorithm: Der | undefined): boolean {
  const [name, parameters, ...more] = sequenceOf(algorithm)
  return oidOf(name) === OID.sha384 && (parameters === undefined || isNull(parameters)) && more.length === 0
}

function extensionsOf(list: Der): ReadonlyMap<string, Extension> {
  const extensions = new Map<string, Extension>()
  for (const row of sequenceOf(list)) {
    const [name, ...fields] = sequenceOf(row)
    const hasCritical = isBoolean(fields[0])
    const critical = hasCritical && isTrue(fields[0])
    if (fields.length !== (hasCritical ? 2 : 1) || hasCritical !== critical)
      throw malformed('has an extension that is not of its form')
    const oid = oidOf(name)
    if (extensions.has(oid)) throw malformed(`has the extension ${oid} twice`)
    extensions.set(oid, { critical, value: octetsOf(fields.at(-1)) })
  }
  return extensions
}

function unixTimeOf(der: Der | undefined): UnixSeconds {
  const text = timeOf(der)
  const rfc3339 = text.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3T$4:$5:$6')
  return under('chain.malformed', () => parseRfc3339(rfc3339, "a certificate's validity"))
}

/** keyCertSign: bit 5 of the BIT STRING (RFC 5280 §4.2.1.3), counted from the most significant. */
const KEY_CERT_SIGN = 0x04

/** A CA of AMD's: may sign certificates, and (`pathLength` 0) no further CAs. */
export function assertAuthority({ extensions }: CertificateBody, pathLength: 0 | undefined): void {
  assertCritical(extensions, [OID.keyUsage, OID.basicConstraints])
  const constraints = extensions.get(OID.basicConstraints)
  const usage = extensions.get(OID.keyUsage)
  if (constraints?.critical !== true || usage?.critical !== true)
    throw malformed('of an authority has no critical basic constraints and key usage')
  const [authority, path, ...more] = sequenceOf(parseDer(constraints.value))
  const limit = path === undefined ? undefined : integerOf(path, 0)
  if (!isTrue(authority) || limit !== pathLength || more.length > 0)
    throw malformed('of an authority has other basic constraints than AMD gives')
  // AMD counts the unused bits loosely, so only the tag, the length and the one content byte are read.
  const [tag, length, , bits] = usage.value
  if (usage.value.byteLength !== 4 || tag !== 0x03 || length !== 2 || ((bits ?? 0) & KEY_CERT_SIGN) === 0)
    throw malformed('of an authority has a key usage without certificate signing')
}

/** A leaf of AMD's carries no key usage and no constraints; what it carries may not make it an authority. */
export function assertLeaf({ extensions }: CertificateBody): void {
  assertCritical(extensions, [])
  if (extensions.has(OID.basicConstraints)) throw malformed('of an endorsement key has basic constraints')
}

function assertCritical(extensions: ReadonlyMap<string, Extension>, known: readonly string[]): void {
  for (const [oid, { critical }] of extensions)
    if (critical && !known.includes(oid)) throw malformed(`has an unknown critical extension ${oid}`)
}
