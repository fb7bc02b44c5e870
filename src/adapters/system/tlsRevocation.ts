/**
 * The revocation lists (RFC 5280 §5) of the CAs that a program trusts. OpenSSL looks certificates up in them;
 * here they are read so that a file that would refuse everyone is refused itself.
 */
import { verify, type X509Certificate } from 'node:crypto'
import { CodedError } from '#core/errors.ts'
import { bytesOf, isNull, Malformed, oidOf, parseDer, sequenceOf, wholeBitsOf } from '#core/snp/der.ts'
import { unixTimeOf } from '#core/snp/x509.ts'
import type { UnixSeconds } from '#core/time.ts'
import { parsePem } from './pem.ts'

/** `pem` has one list: Node reads no more of a text. */
export type RevocationList = { readonly pem: string; readonly nextUpdate: UnixSeconds; readonly name: string }

type Algorithm = { readonly key: 'ec' | 'rsa' | 'ed25519'; readonly digest: string | null }

/** Signature algorithms by OBJECT IDENTIFIER (RFC 5758, RFC 8410, RFC 4055): kind of key, and digest as node:crypto wants it. */
const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  '1.2.840.10045.4.3.2': { key: 'ec', digest: 'sha256' },
  '1.2.840.10045.4.3.3': { key: 'ec', digest: 'sha384' },
  '1.2.840.10045.4.3.4': { key: 'ec', digest: 'sha512' },
  '1.2.840.113549.1.1.11': { key: 'rsa', digest: 'sha256' },
  '1.2.840.113549.1.1.12': { key: 'rsa', digest: 'sha384' },
  '1.2.840.113549.1.1.13': { key: 'rsa', digest: 'sha512' },
  '1.3.101.112': { key: 'ed25519', digest: null },
}

/**
 * Every CA needs a list, and every list a CA. Whether a list is current is decided at each handshake. Throws
 * `config.invalid`, naming the field.
 */
export function readRevocationLists(
  file: string,
  authorities: readonly X509Certificate[],
  { field, path }: { readonly field: string; readonly path: string },
): readonly RevocationList[] {
  const refuse = (what: string, cause?: unknown) =>
    new CodedError('config.invalid', `${field}: ${path} ${what}`, { cause })
  const ders = parsePem(Buffer.from(file), 'X509 CRL')
  if (ders.length === 0) throw refuse('has no revocation list in PEM')
  const listed = new Set<X509Certificate>()
  const lists = ders.map((der) => {
    try {
      const { issuer, nextUpdate } = readList(der, authorities)
      listed.add(issuer)
      return { pem: toPem(der), nextUpdate, name: lineOf(issuer.subject) }
    } catch (cause) {
      if (cause instanceof Malformed) throw refuse(`has a revocation list that ${cause.message}`, cause)
      throw cause
    }
  })
  const without = authorities.find((authority) => !listed.has(authority))
  if (without !== undefined) throw refuse(`has no revocation list of the CA ${lineOf(without.subject)}`)
  return lists
}

/** CertificateList: TBSCertList, algorithm, signature. TBSCertList: version, algorithm, issuer, two times. */
function readList(der: Buffer, authorities: readonly X509Certificate[]) {
  const [tbs, algorithm, signature] = sequenceOf(parseDer(der))
  const [oid, parameters] = sequenceOf(algorithm)
  const known = ALGORITHMS[oidOf(oid)]
  if (known === undefined || (parameters !== undefined && !isNull(parameters)))
    throw new Malformed(
      'is signed by an algorithm other than ECDSA, Ed25519 or RSA with SHA-256, -384 or -512',
    )
  if (tbs === undefined) throw new Malformed('is empty')
  const parts = sequenceOf(tbs)
  // CAs of different kinds stand side by side while one replaces the other.
  const issuer = authorities.find(
    ({ publicKey }) =>
      publicKey.asymmetricKeyType === known.key &&
      verify(known.digest, bytesOf(tbs), publicKey, wholeBitsOf(signature)),
  )
  if (issuer === undefined) throw new Malformed('is not signed by a CA of the other file')
  return { issuer, nextUpdate: unixTimeOf(parts[4]) }
}

function lineOf(subject: string): string {
  return subject.replaceAll('\n', ', ')
}

function toPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN X509 CRL-----\n${lines.join('\n')}\n-----END X509 CRL-----\n`
}
