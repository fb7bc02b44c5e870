/**
 * OCI's request signature, version 1 (draft-cavage-http-signatures-08): RSA-SHA256 over the listed headers.
 * The SDK's signer is not used: it hashes and signs in JavaScript on the event loop, and parses the key for
 * every request.
 */
import { createHash, type KeyObject, sign } from 'node:crypto'
import { promisify } from 'node:util'

/** `keyId`: `{tenancy}/{user}/{fingerprint}` or `ST$<session token>`. The private key belongs to it. */
export type Identity = { readonly keyId: string; readonly privateKey: KeyObject }

export type Unsigned = {
  readonly method: string
  /** Path and query, exactly as they will be sent. */
  readonly target: string
  readonly host: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** The signature leaves out the body: of putObject, uploadPart and putMessages. */
  readonly bodyUnsigned: boolean
  readonly date: Date
}

/** A signer of requests. Concurrent requests can share it. */
export type Principal = {
  /** A token and its key. Throws `service.unavailable` if there is none. */
  readonly identity: () => Promise<Identity>
  /** To be called after a 401 for `rejected`. Resolves when there is another identity, or can be no other. */
  readonly renew: (rejected: Identity) => Promise<void>
  readonly close: () => void
}

const signAsync = promisify(sign)
const WITH_BODY = new Set(['POST', 'PUT', 'PATCH'])

/** Returns all headers to send, including `authorization`. */
export async function signRequest(request: Unsigned, identity: Identity): Promise<Record<string, string>> {
  const headers: Record<string, string> = {
    ...request.headers,
    host: request.host,
    'x-date': request.date.toUTCString(),
  }
  const signed = ['x-date', '(request-target)', 'host']
  if (WITH_BODY.has(request.method)) headers['content-length'] = String(request.body.byteLength)
  if (WITH_BODY.has(request.method) && !request.bodyUnsigned) {
    headers['content-type'] ??= 'application/json'
    headers['x-content-sha256'] = createHash('sha256').update(request.body).digest('base64')
    signed.push('content-type', 'content-length', 'x-content-sha256')
  }
  const target = `${request.method.toLowerCase()} ${request.target}`
  const text = signed
    .map((name) => `${name}: ${name === '(request-target)' ? target : headers[name]}`)
    .join('\n')
  const signature = await signAsync('RSA-SHA256', Buffer.from(text), identity.privateKey)
  headers['authorization'] =
    `Signature version="1",keyId="${identity.keyId}",algorithm="rsa-sha256",` +
    `headers="${signed.join(' ')}",signature="${signature.toString('base64')}"`
  return headers
}
