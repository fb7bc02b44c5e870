/**
 * OCI request signature, version 1 (draft-cavage-http-signatures-08): RSA-SHA256 over the listed headers. Made here
 * and not by the SDK, which hashes and signs in JavaScript on the event loop and parses the key for every request.
 */
import { createHash, type KeyObject, sign } from 'node:crypto'
import { promisify } from 'node:util'

/** Whose requests these are: `{tenancy}/{user}/{fingerprint}` or `ST$<session token>`, and the key that goes with it. */
export type Identity = { readonly keyId: string; readonly privateKey: KeyObject }

export type Unsigned = {
  readonly method: string
  /** Path and query, exactly as they will be sent. */
  readonly target: string
  readonly host: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** putObject, uploadPart and putMessages leave their body outside the signature. */
  readonly bodyUnsigned: boolean
  readonly date: Date
}

/** Whoever signs, safe to use from many requests at once. */
export type Principal = {
  /** Token and key that belong together. Throws `service.unavailable` where none can be had. */
  readonly identity: () => Promise<Identity>
  /** After a 401 for `rejected`: resolves when another identity is there, or when there can be no other. */
  readonly renew: (rejected: Identity) => Promise<void>
  readonly close: () => void
}

const signAsync = promisify(sign)
const WITH_BODY = new Set(['POST', 'PUT', 'PATCH'])

/** All headers to send, `authorization` among them. */
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
