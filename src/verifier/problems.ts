/** Refusals as HTTP: problem details of RFC 9457, whoever notices the failure. */
import { randomBytes } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { toHex, utf8 } from '#core/bytes.ts'
import { CodedError, codeOf, type ErrorCode } from '#core/errors.ts'
import { RequestRefused, refusalBody } from '#core/release/refusal.ts'
import { Shed } from './admission.ts'

export type Problem = {
  readonly code: ErrorCode
  /** The response names it, and so does the line in the operator's log; the decision's own if there is one. */
  readonly id: string
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export function problemOf(error: unknown): Problem {
  const code = codeOfFailure(error)
  const id = error instanceof RequestRefused ? error.denialId : toHex(randomBytes(16))
  const refusal = refusalBody(code, id)
  const body = utf8(JSON.stringify(refusal))
  return {
    code,
    id,
    status: refusal.status,
    headers: {
      'content-type': 'application/problem+json',
      'content-length': String(body.byteLength),
      ...(error instanceof Shed && { 'retry-after': String(error.retryAfterSeconds) }),
    },
    body,
  }
}

/** For a request that never became one: its head could not be parsed. The connection ends. */
export function writeProblem(socket: Socket, { status, headers, body }: Problem): void {
  const head = Object.entries({ ...headers, connection: 'close' })
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...head.map(([name, value]) => `${name}: ${value}`),
  ]
  socket.end(Buffer.concat([utf8(`${lines.join('\r\n')}\r\n\r\n`), body]))
}

/** A request that fastify refuses is malformed: its path or its type. */
function codeOfFailure(error: unknown): ErrorCode {
  const own = codeOf(error)
  if (own !== 'internal.fault' || error instanceof CodedError) return own
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
  return typeof status === 'number' && status >= 400 && status < 500 ? 'request.malformed' : own
}
