/** The meaning of OCI's error answers: one table, the most specific row first. */
import type { IncomingHttpHeaders } from 'node:http'
import { parseJson } from '#core/canonical.ts'
import { CodedError, type ErrorCode } from '#core/errors.ts'

export type WholeAnswer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/**
 * An error answer, recognised by its status and, if given, by the service's code or a part of its message.
 */
export type Meaning = {
  readonly status: number
  readonly serviceCode?: string
  readonly message?: string
  readonly code: ErrorCode
  readonly retry?: boolean
}

const GENERAL: readonly Meaning[] = [
  // An expired token or a wrong clock. The HTTP client renews the token once before it believes a 401.
  { status: 401, code: 'service.denied' },
  { status: 403, code: 'service.denied' },
  { status: 404, code: 'service.missing' },
  { status: 408, code: 'service.unavailable', retry: true },
  { status: 409, serviceCode: 'ConcurrentObjectUpdate', code: 'service.unavailable', retry: true },
  { status: 409, code: 'service.conflict' },
  { status: 429, code: 'service.unavailable', retry: true },
  { status: 500, code: 'service.unavailable', retry: true },
  { status: 502, code: 'service.unavailable', retry: true },
  { status: 503, code: 'service.unavailable', retry: true },
  { status: 504, code: 'service.unavailable', retry: true },
]

/**
 * Turns an error answer into a fault. The body's text stays out of it, because services quote what they were
 * sent. `clause` ends the message.
 */
export function toFault(
  operation: string,
  answer: WholeAnswer,
  own: readonly Meaning[],
  clause: string,
): { readonly error: CodedError; readonly retry: boolean } {
  const { serviceCode, message } = errorBody(answer.body)
  const meaning = [...own, ...GENERAL].find(
    (row) =>
      row.status === answer.status &&
      (row.serviceCode === undefined || row.serviceCode === serviceCode) &&
      (row.message === undefined || message.includes(row.message)),
  )
  const requestId = /^[\w/-]{1,128}$/.exec(String(answer.headers['opc-request-id'] ?? ''))?.[0]
  const text =
    `${operation} answered ${answer.status}` +
    (serviceCode === '' ? '' : ` ${serviceCode}`) +
    (requestId === undefined ? '' : ` (request ${requestId})`) +
    clause
  return { error: new CodedError(meaning?.code ?? 'service.failed', text), retry: meaning?.retry ?? false }
}

function errorBody(body: Buffer): { readonly serviceCode: string; readonly message: string } {
  if (body.byteLength === 0 || body.byteLength > 65_536) return { serviceCode: '', message: '' }
  try {
    const value = parseJson(body)
    if (typeof value !== 'object' || value === null) return { serviceCode: '', message: '' }
    const text = (field: string): string => {
      const member: unknown = Reflect.get(value, field)
      return typeof member === 'string' ? member : ''
    }
    return { serviceCode: /^\w{1,64}$/.exec(text('code'))?.[0] ?? '', message: text('message') }
  } catch {
    return { serviceCode: '', message: '' }
  }
}
