/** One HTTP exchange over kept-alive sockets: no redirects, no decompression, no proxy, bounded in time and size. */
import { type IncomingMessage, Agent as PlainAgent, request as plainRequest } from 'node:http'
import { Agent, request as tlsRequest } from 'node:https'
import type { Answer } from './answers.ts'

export type Outgoing = {
  readonly method: string
  /** Scheme, host and port. */
  readonly origin: string
  /** Path and query as they were signed; not normalised again. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export type Limits = {
  /** Until the answer's headers, and for a whole answer until its end. */
  readonly answerMs: number
  /** Without a byte in either direction. */
  readonly idleMs: number
  readonly signal: AbortSignal | undefined
}

/** Larger answers than any that OCI gives to a call whose answer is taken whole. */
const MAX_WHOLE_BYTES = 32 * 1024 * 1024

export type Sockets = { readonly plain: PlainAgent; readonly tls: Agent }

export function createSockets(): Sockets {
  const options = { keepAlive: true, maxSockets: 64, maxFreeSockets: 16, scheduling: 'lifo' } as const
  return { plain: new PlainAgent(options), tls: new Agent({ ...options, minVersion: 'TLSv1.2' }) }
}

/** The answer with its headers; the body is to be consumed or destroyed. */
export async function exchange(
  outgoing: Outgoing,
  sockets: Sockets,
  limits: Limits,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const url = new URL(outgoing.origin)
    const isTls = url.protocol === 'https:'
    const request = (isTls ? tlsRequest : plainRequest)({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? (isTls ? 443 : 80) : url.port,
      path: outgoing.target,
      method: outgoing.method,
      headers: outgoing.headers,
      agent: isTls ? sockets.tls : sockets.plain,
      ...(limits.signal !== undefined && { signal: limits.signal }),
    })
    const timer = setTimeout(() => request.destroy(new Error('no answer in time')), limits.answerMs)
    request.setTimeout(limits.idleMs, () => request.destroy(new Error('the connection went idle')))
    request.once('response', (response) => {
      clearTimeout(timer)
      resolve(response)
    })
    request.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    request.once('close', () => clearTimeout(timer))
    request.end(outgoing.body)
  })
}

/** The whole answer, within the time and size limits. */
export async function readWhole(response: IncomingMessage, limits: Limits): Promise<Answer> {
  const timer = setTimeout(() => response.destroy(new Error('no whole answer in time')), limits.answerMs)
  try {
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of response) {
      size += chunk.byteLength
      if (size > MAX_WHOLE_BYTES) throw new Error(`an answer of more than ${MAX_WHOLE_BYTES} bytes`)
      chunks.push(chunk)
    }
    return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks, size) }
  } finally {
    clearTimeout(timer)
  }
}
