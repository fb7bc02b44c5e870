/**
 * The two front doors: clients show a certificate here (`required`), or at a gateway that ends TLS
 * (`at-gateway`). Behind a gateway all connections are its own, and no header of it is believed. So there all
 * clients are one, with limits for all of them together, and before authentication a nonce is what admits a
 * body.
 */
import type { ServerOptions } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { toUnixSeconds } from '#core/time.ts'
import type { Client, ConnectionLimits } from './connections.ts'
import type { RequestLimits } from './gate.ts'

const MIB = 1024 * 1024

export type ClientCertificates = 'required' | 'at-gateway'

export type FrontDoor = {
  readonly handshake: Required<Pick<ServerOptions, 'requestCert' | 'rejectUnauthorized'>>
  readonly protocol: Required<Pick<ServerOptions, 'minVersion' | 'ciphers'>>
  readonly clientOf: (socket: TLSSocket) => Client | undefined
  readonly connections: ConnectionLimits
  readonly limits: RequestLimits
  /** True if a body is read only if the request shows a nonce that admitted none before. */
  readonly needsNonce: boolean
}

const TLS13 = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'
/** Forward secret and authenticated, as those of TLS 1.3 are. */
const TLS12 = ['ECDSA', 'RSA']
  .flatMap((key) =>
    ['AES256-GCM-SHA384', 'CHACHA20-POLY1305', 'AES128-GCM-SHA256'].map((suite) => `ECDHE-${key}-${suite}`),
  )
  .join(':')

const CONNECTIONS = {
  total: 2048,
  handshakesPerAddress: 256,
  failedHandshakes: { perSecond: 400, burst: 1000 },
  silenceMilliseconds: 5000,
} as const

export const FRONT_DOORS: Readonly<Record<ClientCertificates, FrontDoor>> = {
  required: {
    handshake: { requestCert: true, rejectUnauthorized: true },
    protocol: { minVersion: 'TLSv1.3', ciphers: TLS13 },
    clientOf: holderOf,
    connections: { ...CONNECTIONS, perClient: 64 },
    limits: {
      // A guest makes about one report a second, so this is a pool of twenty behind one certificate.
      requests: { perSecond: 20, burst: 64 },
      // Two guests do not reach it, even if they ask for the most objects once a second.
      bodies: { perSecond: 4 * MIB, burst: 32 * MIB },
      // They can hold 28 MiB of the room for bodies.
      atOnce: 16,
      penaltyMilliseconds: 1000,
    },
    needsNonce: false,
  },
  'at-gateway': {
    handshake: { requestCert: false, rejectUnauthorized: false },
    protocol: { minVersion: 'TLSv1.2', ciphers: `${TLS13}:${TLS12}` },
    clientOf: () => ({ client: 'gateway', notAfter: undefined }),
    connections: { ...CONNECTIONS, perClient: CONNECTIONS.total },
    limits: {
      // Of all clients: twenty pools.
      requests: { perSecond: 400, burst: 1280 },
      bodies: { perSecond: 16 * MIB, burst: 64 * MIB },
      // The other connections stay free for refusals.
      atOnce: 1024,
      // A late refusal would hold one of the gateway's connections, which all clients share.
      penaltyMilliseconds: 0,
    },
    needsNonce: true,
  },
}

/** The holder of the certificate that the handshake verified, by its SHA-256 in hex. */
function holderOf(socket: TLSSocket): Client | undefined {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return undefined
  return {
    client: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    notAfter: toUnixSeconds(Math.floor(Date.parse(certificate.validTo) / 1000), 'notAfter'),
  }
}
