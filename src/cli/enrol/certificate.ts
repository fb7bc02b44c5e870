/** Certificates and revocation lists (RFC 5280), built with forge and signed by a Vault or a key file. */
import { createHash, type KeyObject } from 'node:crypto'
import forge from 'node-forge'
import { importJwk } from '#core/jwk.ts'
import type { Signer } from '#core/jws.ts'
import type { UnixSeconds } from '#core/time.ts'
import {
  bits,
  commonName,
  enumerated,
  explicit,
  implicit,
  integer,
  type Node,
  octets,
  oid,
  publicKeyInfo,
  sequence,
  time,
  toDer,
  toPem,
  yes,
} from './asn1.ts'

/** What a CA certifies: clients of the Verifier, or Verifiers. */
export const PURPOSES = ['clientAuth', 'serverAuth'] as const
export type Purpose = (typeof PURPOSES)[number]

export type Subject = {
  readonly name: string
  readonly dns: readonly string[]
  readonly ip: readonly string[]
}

type Period = { readonly notBefore: UnixSeconds; readonly notAfter: UnixSeconds }
export type Issuer = { readonly name: string; readonly purpose: Purpose; readonly signer: Signer }

/** A CA's own certificate, in PEM. It issues certificates for one purpose, and no other CA's. */
export async function signAuthority(issuer: Issuer, serial: Buffer, period: Period): Promise<string> {
  const key = importJwk(issuer.signer.jwk)
  return await signCertificate(issuer, { name: issuer.name, key, serial, ...period }, [
    ...fieldsOf([
      { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
      { name: 'extKeyUsage', [issuer.purpose]: true },
    ]),
    subjectKeyIdentifier(key),
  ])
}

/** In PEM. */
export async function signLeaf(
  issuer: Issuer,
  subject: Subject,
  certified: Period & { readonly key: KeyObject; readonly serial: Buffer },
): Promise<string> {
  const altNames = [
    ...subject.dns.map((value) => ({ type: 2, value })),
    ...subject.ip.map((ip) => ({ type: 7, ip })),
  ]
  return await signCertificate(issuer, { name: subject.name, ...certified }, [
    ...fieldsOf([
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', [issuer.purpose]: true },
      ...(altNames.length === 0 ? [] : [{ name: 'subjectAltName', altNames }]),
    ]),
    subjectKeyIdentifier(certified.key),
    authorityKeyIdentifier(issuer),
  ])
}

/** CRLReason (RFC 5280 §5.3.1); `unspecified` is written by leaving it out. */
export const REASONS = {
  unspecified: 0,
  'key-compromise': 1,
  'affiliation-changed': 3,
  superseded: 4,
  'cessation-of-operation': 5,
} as const
export type Reason = keyof typeof REASONS

export type Revoked = { readonly serial: string; readonly at: UnixSeconds; readonly reason: Reason }

/** A complete list, in PEM. */
export async function signRevocationList(
  issuer: Issuer,
  list: {
    readonly number: number
    readonly thisUpdate: UnixSeconds
    readonly nextUpdate: UnixSeconds
    readonly revoked: readonly Revoked[]
  },
): Promise<string> {
  const entries = list.revoked.map(({ serial, at, reason }) =>
    sequence(
      integer(Buffer.from(serial, 'hex')),
      time(at),
      ...(reason === 'unspecified' ? [] : [sequence(extension('2.5.29.21', enumerated(REASONS[reason])))]),
    ),
  )
  const tbs = sequence(
    integer(1),
    algorithmOf(issuer.signer),
    commonName(issuer.name),
    time(list.thisUpdate),
    time(list.nextUpdate),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    explicit(0, sequence(authorityKeyIdentifier(issuer), extension('2.5.29.20', integer(list.number)))),
  )
  return toPem('X509 CRL', await signed(tbs, issuer.signer))
}

async function signCertificate(
  issuer: Issuer,
  certified: Period & { readonly name: string; readonly key: KeyObject; readonly serial: Buffer },
  extensions: readonly Node[],
): Promise<string> {
  const tbs = sequence(
    explicit(0, integer(2)),
    integer(certified.serial),
    algorithmOf(issuer.signer),
    commonName(issuer.name),
    sequence(time(certified.notBefore), time(certified.notAfter)),
    commonName(certified.name),
    publicKeyInfo(certified.key),
    explicit(3, sequence(...extensions)),
  )
  return toPem('CERTIFICATE', await signed(tbs, issuer.signer))
}

/** ecdsa-with-SHA384 (RFC 5758) or Ed25519 (RFC 8410). */
function algorithmOf({ jwk }: Pick<Signer, 'jwk'>): Node {
  return sequence(oid(jwk.kty === 'OKP' ? '1.3.101.112' : '1.2.840.10045.4.3.3'))
}

async function signed(tbs: Node, signer: Signer): Promise<Buffer> {
  const raw = Buffer.from(await signer.sign(toDer(tbs)))
  const half = raw.byteLength / 2
  // A signer gives r ‖ s, as JOSE does; X.509 has them as two INTEGERs.
  const signature =
    signer.jwk.kty === 'OKP'
      ? raw
      : toDer(sequence(integer(raw.subarray(0, half)), integer(raw.subarray(half))))
  return toDer(sequence(tbs, algorithmOf(signer), bits(signature)))
}

/** forge knows the encoding of the values of these extensions. */
function fieldsOf(fields: readonly object[]): readonly Node[] {
  const certificate = forge.pki.createCertificate()
  certificate.setExtensions([...fields])
  return certificate.extensions.map(({ id, critical, value }: ForgeExtension) =>
    sequence(
      oid(id),
      ...(critical === true ? [yes()] : []),
      octets(typeof value === 'string' ? Buffer.from(value, 'latin1') : toDer(value)),
    ),
  )
}

/** As forge fills it in. */
type ForgeExtension = { readonly id: string; readonly critical?: boolean; readonly value: Node | string }

function extension(name: string, value: Node): Node {
  return sequence(oid(name), octets(toDer(value)))
}

function subjectKeyIdentifier(key: KeyObject): Node {
  return extension('2.5.29.14', octets(keyIdentifier(key)))
}

function authorityKeyIdentifier({ signer }: Issuer): Node {
  return extension('2.5.29.35', sequence(implicit(0, keyIdentifier(importJwk(signer.jwk)))))
}

/** Over the whole SubjectPublicKeyInfo (RFC 7093 §2, method 4). */
function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest()
    .subarray(0, 20)
}
