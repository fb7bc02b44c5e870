/** Certificates for loopback, on P-256. A test can create any number of authorities. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { extension } from '#lab/amd/certificate.ts'
import { bits, boolean, explicit, integer, oid, sequence, set, time, utf8Text } from '#lab/amd/der.ts'

export type Identity = { readonly cert: string; readonly key: string }
export type Ca = {
  /** PEM. */
  readonly pem: string
  /** A certificate for a client, or for a server on 127.0.0.1. It ends that many seconds from now. */
  readonly issue: (name: string, seconds?: number) => Identity
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
    return toPem(sequence(tbs, ECDSA_SHA256, bits(sign('sha256', tbs, ca.privateKey))))
  }
  return {
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

function toPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
