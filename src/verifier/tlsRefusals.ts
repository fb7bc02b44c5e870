/** Why a handshake failed, in few words: the label of a metric. */

export const TLS_REFUSALS = {
  'no-certificate': 'the client shows no certificate',
  'expired-certificate': "the client's certificate has expired, or is not valid yet",
  'revoked-certificate': "a revocation list of `tls.clientCrl` names the client's certificate",
  'no-revocation-list': "the list of the CA that issued the client's certificate has ended",
  'untrusted-certificate': "no registered CA issued the client's certificate",
  'old-protocol': 'the client offers no TLS 1.3; `at-gateway` no TLS 1.2 either',
  'no-common-parameters': 'no common cipher suite, group or signature',
  'plain-http': 'the client speaks HTTP without TLS',
  'not-tls': 'the client speaks no TLS, or breaks it',
  'client-refused':
    "the client ended the handshake with an alert: it does not accept the Verifier's certificate",
  timeout: 'no byte came within five seconds, or the handshake took longer than ten',
  abandoned: 'the client closed the connection, as the probe of a load balancer does',
} as const
export type TlsRefusal = keyof typeof TLS_REFUSALS

/** OpenSSL's reasons, as the end of Node's codes. Whatever is not here is `not-tls`. */
const BY_CODE: readonly (readonly [RegExp, TlsRefusal])[] = [
  [/^ERR_TLS_HANDSHAKE_TIMEOUT$/, 'timeout'],
  [/^ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE$/, 'no-certificate'],
  [/^ERR_SSL_(?:UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW)$/, 'old-protocol'],
  [/^ERR_SSL_(?:NO_SUITABLE|NO_SHARED)_/, 'no-common-parameters'],
  [/^ERR_SSL_.*_ALERT_/, 'client-refused'],
  [/^(?:ECONNRESET|EPIPE|ETIMEDOUT)$/, 'abandoned'],
]

/** OpenSSL checks a client's certificate before Node ends the connection, which then only looks reset. */
const BY_AUTHORIZATION: Readonly<Record<string, TlsRefusal>> = {
  CERT_HAS_EXPIRED: 'expired-certificate',
  CERT_NOT_YET_VALID: 'expired-certificate',
  CERT_REVOKED: 'revoked-certificate',
  CRL_HAS_EXPIRED: 'no-revocation-list',
  CRL_NOT_YET_VALID: 'no-revocation-list',
  UNABLE_TO_GET_CRL: 'no-revocation-list',
}

/** The first byte of a TLS record that begins a handshake (RFC 8446 §5.1). */
const HANDSHAKE_RECORD = 22
const HTTP_REQUEST = /^[A-Z]{3,7} /

/** What the first bytes of a connection show before any TLS; undefined if they may begin a handshake. */
export function refusalOfHello(bytes: Buffer): TlsRefusal | undefined {
  if (bytes[0] === HANDSHAKE_RECORD) return undefined
  return HTTP_REQUEST.test(bytes.toString('latin1', 0, 8)) ? 'plain-http' : 'not-tls'
}

/** `authorizationError` is the TLS socket's: OpenSSL's code, null if the certificate was not looked at. */
export function tlsRefusalOf(error: unknown, authorizationError: unknown): TlsRefusal {
  if (authorizationError !== null && authorizationError !== undefined)
    return BY_AUTHORIZATION[String(authorizationError)] ?? 'untrusted-certificate'
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return BY_CODE.find(([pattern]) => pattern.test(code))?.[1] ?? 'not-tls'
}
