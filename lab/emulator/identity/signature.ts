/**
 * OCI request signature version 1 (draft-cavage-http-signatures-08 with OCI's rules): RSA-SHA256 over the
 * listed headers in the listed order, a date at most five minutes off, and the SHA-256 of the body if OCI
 * signs it.
 */
import { createHash, type KeyObject, verify } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { OciError } from '#lab/emulator/service.ts'

const MAX_SKEW_MS = 5 * 60_000
const PARAMETER = /([a-zA-Z]+)="([^"]*)"(?:,|$)/y
const WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])
const BODY_HEADERS = ['content-length', 'content-type', 'x-content-sha256']

export type SignedRequest = {
  readonly method: string
  /** The path and query exactly as sent. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

export type RequestSignature = {
  readonly keyId: string
  /** Lower-case names in the order of signing. */
  readonly headers: readonly string[]
  readonly signature: Buffer
}

/** Throws 401 `NotAuthenticated` unless the header has the exact form of version 1. */
export function parseAuthorization(authorization: string | undefined): RequestSignature {
  if (authorization === undefined) throw notAuthenticated('the request is not signed')
  const [scheme = '', text = ''] = splitOnce(authorization, ' ')
  if (scheme.toLowerCase() !== 'signature')
    throw notAuthenticated('the authorization scheme is not Signature')
  const parameters = new Map<string, string>()
  PARAMETER.lastIndex = 0
  while (PARAMETER.lastIndex < text.length) {
    const [, key = '', value = ''] = PARAMETER.exec(text) ?? []
    if (key === '' || parameters.has(key)) throw notAuthenticated('the authorization header is malformed')
    parameters.set(key, value)
  }
  if (parameters.get('version') !== '1') throw notAuthenticated('the signature version is not 1')
  if (parameters.get('algorithm') !== 'rsa-sha256') throw notAuthenticated('the algorithm is not rsa-sha256')
  return {
    keyId: parameters.get('keyId') ?? '',
    headers: (parameters.get('headers') ?? '').toLowerCase().split(' '),
    signature: Buffer.from(parameters.get('signature') ?? '', 'base64'),
  }
}

/** Throws 401 unless `key` signed every required header, recently. */
export function verifySignature(
  request: SignedRequest,
  signature: RequestSignature,
  key: KeyObject,
  options: { readonly bodyUnsigned: boolean; readonly now: number },
): void {
  const { headers } = signature
  // If both dates are signed, x-date counts.
  const dateHeader = ['x-date', 'date'].find((name) => headers.includes(name))
  const required = ['(request-target)', 'host']
  if (WITH_BODY.has(request.method) && !options.bodyUnsigned) required.push(...BODY_HEADERS)
  const missing = required.filter((name) => !headers.includes(name))
  if (dateHeader === undefined) missing.push('date')
  if (missing.length > 0) throw notAuthenticated(`not signed: ${missing.join(', ')}`)

  const date = Date.parse(headerText(request, dateHeader ?? ''))
  if (!(Math.abs(options.now - date) <= MAX_SKEW_MS))
    throw notAuthenticated('the date of the request is more than five minutes off')

  const text = headers
    .map((name) =>
      name === '(request-target)'
        ? `${name}: ${request.method.toLowerCase()} ${request.url}`
        : `${name}: ${headerText(request, name)}`,
    )
    .join('\n')
  if (!verify('RSA-SHA256', Buffer.from(text), key, signature.signature))
    throw notAuthenticated('the signature does not verify')
}

/** Throws 401 unless the body has the signed hash. */
export function verifyBody(headers: IncomingHttpHeaders, body: Uint8Array): void {
  if (createHash('sha256').update(body).digest('base64') !== headers['x-content-sha256'])
    throw notAuthenticated('x-content-sha256 is not the hash of the body')
}

export function notAuthenticated(reason: string): OciError {
  return new OciError(
    401,
    'NotAuthenticated',
    `The required information to complete authentication was not provided or was incorrect: ${reason}.`,
  )
}

function headerText({ headers }: SignedRequest, name: string): string {
  const value = headers[name]
  if (value === undefined) throw notAuthenticated(`the signed header ${name} is absent`)
  return Array.isArray(value) ? value.join(', ') : value
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}
