/** The TLS of the Verifier's server: who may shake hands, and with what. */
import { constants } from 'node:crypto'
import type { ServerOptions } from 'node:https'

/** PEM. Each CA has a list, or no certificate of it is accepted. */
export type ServerTls = {
  readonly cert: string
  readonly key: string
  readonly clientCa: string
  readonly clientCrl: readonly string[]
}

/** A peer that takes longer holds one of few places. Node's default is two minutes. */
const HANDSHAKE_MILLISECONDS = 10_000

/** What new files do not change. Every client shows a certificate of the registered CAs. */
export const HANDSHAKE = {
  requestCert: true,
  rejectUnauthorized: true,
  handshakeTimeout: HANDSHAKE_MILLISECONDS,
} as const satisfies ServerOptions

/**
 * TLS 1.3, and of its groups and suites those that OpenSSL runs in constant time and a worker offers. No
 * session can be resumed: a ticket would let a client in after its certificate has ended.
 */
export function contextOf({ cert, key, clientCa, clientCrl }: ServerTls): ServerOptions {
  return {
    cert,
    key,
    ca: clientCa,
    crl: [...clientCrl],
    minVersion: 'TLSv1.3',
    ciphers: 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256',
    ecdhCurve: 'X25519:P-256:P-384',
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
}
