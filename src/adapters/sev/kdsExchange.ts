/** One GET of AMD's key distribution service: bounded in time and in bytes, and never sent elsewhere by an answer. */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { CodedError } from '#core/errors.ts'

export type KdsAnswer =
  | { readonly kind: 'given'; readonly body: Buffer }
  | { readonly kind: 'unknown' }
  /** What may pass; `retryAfterMs` where the service said how long to wait. */
  | { readonly kind: 'unavailable'; readonly why: string; readonly retryAfterMs: number | undefined }

/** It has no such chip or TCB, or never will understand the question. */
const UNKNOWN: readonly number[] = [400, 404]

/** Throws the signal's reason, and nothing else: every other ending is an answer. */
export async function exchange(
  url: URL,
  { maxBytes, exchangeMs }: { readonly maxBytes: number; readonly exchangeMs: number },
  signal: AbortSignal | undefined,
): Promise<KdsAnswer> {
  const timeout = AbortSignal.timeout(exchangeMs)
  const ended = signal === undefined ? timeout : AbortSignal.any([signal, timeout])
  try {
    const response = await send(url, ended)
    const { statusCode: status = 0, headers } = response
    if (status === 200) return { kind: 'given', body: await readBounded(response, maxBytes) }
    // Nobody reads the rest; the socket is not used again.
    response.destroy()
    if (UNKNOWN.includes(status)) return { kind: 'unknown' }
    return unavailable(`answers with status ${status}`, retryAfterMs(headers['retry-after']))
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof CodedError) return unavailable(cause.message)
    const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
    return unavailable(timeout.aborted ? `takes more than ${exchangeMs} ms` : `cannot be reached${code}`)
  }
}

function unavailable(why: string, retryAfter?: number): KdsAnswer {
  return { kind: 'unavailable', why, retryAfterMs: retryAfter }
}

/** node:http follows no redirects. */
function send(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest
  request(url, { agent: false, signal, headers: { accept: '*/*' } })
    .on('response', resolve)
    .on('error', reject)
    .end()
  return promise
}

async function readBounded(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response) {
    // Without an encoding set, a response yields buffers alone.
    const bytes: Buffer = chunk
    size += bytes.byteLength
    if (size > maxBytes) {
      response.destroy()
      throw new CodedError('kds.unavailable', `answers with more than ${maxBytes} bytes`)
    }
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}

/** In seconds alone: the other form is a date of the service's clock, and is as good as none. */
function retryAfterMs(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined
}
