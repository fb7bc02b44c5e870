/** Certificates for loopback, on P-256. A test can create any number of authorities. */
import { generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto'
import { extension } from '#lab/amd/certificate.ts'
import { bits, boolean, explicit, integer, oid, sequence, set, time, utf8Text } from '#lab/amd/der.ts'

export type Identity = { readonly cert: string; readonly key: string }
export type Ca = {
  /** PEM. */
  readonly pem: string
  /** A certificate for a client, or for a server on 127.0.0.1. It ends that many seconds from now. */
  readonly issue: (name: string, seconds?: number) => Identity
  /** Its list, in PEM: nothing is revoked. */
  readonly crl: string
  /** A list with these certificates. It ends that many seconds from now. */
  readonly revoke: (certificates: readonly string[], seconds?: number) => string
}

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))
const HOUR = 3600
/** Longer than the last days, in which programs warn. */
const MONTH = 30 * 24 * HOUR
const IP_ADDRESS = 0x87
let serial = 1

export function createCa(name: string): Ca {
  const ca = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const certificate = (
    subject: string,
    key: KeyObject,
    extensions: readonly Buffer[],
    seconds = MONTH,
  ): string => {
    const now = Math.floor(Date.now() / 1000)
    serial += 1
    const tbs = sequence(
      explicit(0, integer(2)),
      integer(serial),
      ECDSA_SHA256,
      nameOf(name),
      sequence(time(now - HOUR), time(now + seconds)),
      nameOf(subject),
      key.export({ format: 'der', type: 'spki' }),
      explicit(3, sequence(...extensions)),
    )
    return toPem('CERTIFICATE', sequence(tbs, ECDSA_SHA256, bits(sign('sha256', tbs, ca.privateKey))))
  }
  const revoke = (certificates: readonly string[], seconds = MONTH): string => {
    const now = Math.floor(Date.now() / 1000)
    const entries = certificates.map((pem) =>
      sequence(integer(Number.parseInt(new X509Certificate(pem).serialNumber, 16)), time(now)),
    )
    const tbs = sequence(
      integer(1),
      ECDSA_SHA256,
      nameOf(name),
      time(now - HOUR),
      time(now + seconds),
      ...(entries.length === 0 ? [] : [sequence(...entries)]),
    )
    return toPem('X509 CRL', sequence(tbs, ECDSA_SHA256, bits(sign('sha256', tbs, ca.privateKey))))
  }
  return {
    crl: revoke([]),
    revoke,
    pem: certificate(name, ca.publicKey, [extension('2.5.29.19', sequence(boolean(true)), true)]),
    issue: (subject, seconds) => {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const loopback = Buffer.of(0x30, 6, IP_ADDRESS, 4, 127, 0, 0, 1)
      return {
        cert: certificate(subject, publicKey, [extension('2.5.29.17', loopback)], seconds),
        key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      }
    },
  }
}

function nameOf(commonName: string): Buffer {
  return sequence(set(sequence(oid('2.5.4.3'), utf8Text(commonName))))
}

function toPem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
