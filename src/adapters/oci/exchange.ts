/**
 * One HTTP exchange over kept-alive sockets: no redirects, no decompression, no proxy, bounded in time and
 * size.
 */
import { type IncomingMessage, Agent as PlainAgent, request as plainRequest } from 'node:http'
import { Agent, request as tlsRequest } from 'node:https'
import { answerTo, readBody } from '#adapters/http/answer.ts'
import { IDLE_SOCKET_MS } from '#adapters/http/idleSockets.ts'
import type { WholeAnswer } from './answers.ts'

export type Outgoing = {
  readonly method: string
  /** Scheme, host and port. */
  readonly origin: string
  /** Path and query exactly as they were signed. Normalising them again would break the signature. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export type Limits = {
  /** Until the head of the answer; for an answer that is taken whole, once more until its end. */
  readonly answerMs: number
  /** Without a byte in either direction. */
  readonly idleMs: number
  readonly signal: AbortSignal | undefined
}

/** More than OCI sends in any answer that is taken whole. */
const MAX_WHOLE_BYTES = 32 * 1024 * 1024

export type Sockets = { readonly plain: PlainAgent; readonly tls: Agent }

export function createSockets(): Sockets {
  const pool = { keepAlive: true, maxSockets: 64, maxFreeSockets: 16, timeout: IDLE_SOCKET_MS } as const
  return { plain: new PlainAgent(pool), tls: new Agent({ ...pool, minVersion: 'TLSv1.2' }) }
}

/** Resolves with the head of the answer. The body is to be consumed or destroyed. */
export async function exchange(
  outgoing: Outgoing,
  sockets: Sockets,
  limits: Limits,
): Promise<IncomingMessage> {
  const url = new URL(outgoing.origin)
  const isTls = url.protocol === 'https:'
  const request = (isTls ? tlsRequest : plainRequest)({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (isTls ? 443 : 80) : url.port,
    path: outgoing.target,
    method: outgoing.method,
    headers: outgoing.headers,
    agent: isTls ? sockets.tls : sockets.plain,
    // Without it that of an idle socket would hold while it is in use.
    timeout: limits.idleMs,
    ...(limits.signal !== undefined && { signal: limits.signal }),
  })
  const timer = setTimeout(() => request.destroy(new Error('no answer in time')), limits.answerMs)
  request.on('timeout', () => request.destroy(new Error('the connection went idle')))
  try {
    return await answerTo(request, outgoing.body)
  } finally {
    clearTimeout(timer)
  }
}

/** Reads the whole answer, within the limits of time and size. */
export async function readWhole(response: IncomingMessage, { answerMs }: Limits): Promise<WholeAnswer> {
  const timer = setTimeout(() => response.destroy(new Error('no whole answer in time')), answerMs)
  try {
    const body = await readBody(response, MAX_WHOLE_BYTES)
    if (body === undefined) throw new Error(`the answer has more than ${MAX_WHOLE_BYTES} bytes`)
    return { status: response.statusCode ?? 0, headers: response.headers, body }
  } finally {
    clearTimeout(timer)
  }
}
