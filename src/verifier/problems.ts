/** Refusals as HTTP: problem details of RFC 9457, whoever notices the failure. */
import { randomBytes } from 'node:crypto'
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'
import { toHex, utf8 } from '#core/bytes.ts'
import { CodedError, codeOf, type ErrorCode } from '#core/errors.ts'
import { problemOf } from '#core/release/refusal.ts'
import { Shed } from './admission.ts'
import type { Connections } from './connections.ts'
import { DecidedRefusal } from './decidedRefusal.ts'

/** A request that is refused as a whole. */
export type Refused = {
  readonly code: ErrorCode
  /** The sender gets it; the decision's own if `error` is `DecidedRefusal`. */
  readonly id: string
  readonly address: string
  readonly error: unknown
}

/** Each tells of the refusal before it answers. */
export type Problems = {
  readonly answer: (reply: FastifyReply, error: unknown) => FastifyReply
  /** For a request that Node could not parse, or not in time. The connection ends. */
  readonly endUnparsed: (socket: Socket) => void
  /** For a request that expects what the server does not do. The connection ends. */
  readonly endExpectation: (request: IncomingMessage, response: ServerResponse) => void
}

export function createProblems(
  connections: Pick<Connections, 'of'>,
  refused: (refusal: Refused) => void,
): Problems {
  const problemAt = (address: string, error: unknown): Answer => {
    const problem = answerOf(error)
    refused({ code: problem.code, id: problem.id, address, error })
    return problem
  }
  const addressOf = (socket: Socket | null) => (socket && connections.of(socket)?.address) ?? ''
  return {
    answer: (reply, error) => {
      const { status, headers, body } = problemAt(addressOf(reply.request.raw.socket), error)
      return reply.code(status).headers(headers).send(body)
    },
    endUnparsed: (socket) => {
      const error = new CodedError('request.malformed', 'the request is not HTTP/1.1, too long or too slow')
      const connection = connections.of(socket)
      // A handshake that failed is counted elsewhere. One that was cut needs no answer.
      if (connection === undefined || !socket.writable) socket.destroy()
      else if (connection.request !== undefined) connection.request.stop(error)
      else writeProblem(socket, problemAt(connection.address, error))
    },
    endExpectation: (_request, response) => {
      const error = new CodedError('request.malformed', 'no expectation but 100-continue is met')
      const { status, headers, body } = problemAt(addressOf(response.socket), error)
      response.writeHead(status, { ...headers, connection: 'close' }).end(body)
    },
  }
}

type Answer = {
  readonly code: ErrorCode
  readonly id: string
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

function answerOf(error: unknown): Answer {
  const code = codeOfFailure(error)
  const decided = error instanceof DecidedRefusal ? error : undefined
  const id = decided?.denialId ?? toHex(randomBytes(16))
  const problem = problemOf(code, id)
  const body = utf8(JSON.stringify({ ...problem, ...decided?.response }))
  return {
    code,
    id,
    status: problem.status,
    headers: {
      'content-type': 'application/problem+json',
      'content-length': String(body.byteLength),
      ...(error instanceof Shed && { 'retry-after': String(error.retryAfterSeconds) }),
    },
    body,
  }
}

/** There is no response to write to: the request never became one. */
function writeProblem(socket: Socket, { status, headers, body }: Answer): void {
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
