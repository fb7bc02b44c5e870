/** The TLS of the Verifier's server: who may shake hands, and with what. */
import { constants } from 'node:crypto'
import type { ServerOptions } from 'node:https'
import { type ClientCertificates, FRONT_DOORS } from './frontDoor.ts'

/** PEM. Each CA has a list, or no certificate of it is accepted. */
export type ServerTls = { readonly cert: string; readonly key: string } & (
  | {
      readonly clientCertificates: 'required'
      readonly clientCa: string
      readonly clientCrl: readonly string[]
    }
  | { readonly clientCertificates: 'at-gateway' }
)

/** A peer that takes longer holds one of few places. Node's default is two minutes. */
export const HANDSHAKE_MILLISECONDS = 10_000

/** What new files do not change. */
export function handshakeOf(clientCertificates: ClientCertificates) {
  return {
    ...FRONT_DOORS[clientCertificates].handshake,
    handshakeTimeout: HANDSHAKE_MILLISECONDS,
  } satisfies ServerOptions
}

/**
 * TLS 1.3, and of its groups and suites those that OpenSSL runs in constant time and a worker offers. No
 * session can be resumed: a ticket would let a client in after its certificate has ended.
 */
export function contextOf(tls: ServerTls): ServerOptions {
  const { cert, key, clientCertificates } = tls
  return {
    ...FRONT_DOORS[clientCertificates].protocol,
    cert,
    key,
    ...(clientCertificates === 'required' && { ca: tls.clientCa, crl: [...tls.clientCrl] }),
    ecdhCurve: 'X25519:P-256:P-384',
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  }
}
