/** One GET to AMD's key distribution service: bounded in time and bytes, and without redirects. */
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { answerTo, readBody } from '#adapters/http/answer.ts'

export type KdsAnswer =
  | { readonly kind: 'given'; readonly body: Buffer }
  | { readonly kind: 'unknown' }
  /** A state that may pass. `retryAfterMs`: how long the service asked us to wait, if it did. */
  | { readonly kind: 'unavailable'; readonly why: string; readonly retryAfterMs: number | undefined }

/** The service has no such chip or TCB, or does not understand the question. Asking again would not help. */
const UNKNOWN: readonly number[] = [400, 404]

/** Throws only the signal's reason. Every other ending is an answer. */
export async function askKds(
  url: URL,
  { maxBytes, exchangeMs }: { readonly maxBytes: number; readonly exchangeMs: number },
  signal: AbortSignal | undefined,
): Promise<KdsAnswer> {
  const timeout = AbortSignal.timeout(exchangeMs)
  const ended = signal === undefined ? timeout : AbortSignal.any([signal, timeout])
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest
  try {
    // node:http follows no redirects.
    const response = await answerTo(request(url, { agent: false, signal: ended, headers: { accept: '*/*' } }))
    const { statusCode: status = 0, headers } = response
    if (status === 200) {
      const body = await readBody(response, maxBytes)
      return body === undefined
        ? unavailable(`answers with more than ${maxBytes} bytes`)
        : { kind: 'given', body }
    }
    // The body of a refusal is not needed, and the socket is not used again.
    response.destroy()
    if (UNKNOWN.includes(status)) return { kind: 'unknown' }
    return unavailable(`answers with status ${status}`, retryAfterMs(headers['retry-after']))
  } catch (cause) {
    signal?.throwIfAborted()
    const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
    return unavailable(timeout.aborted ? `takes more than ${exchangeMs} ms` : `cannot be reached${code}`)
  }
}

function unavailable(why: string, retryAfter?: number): KdsAnswer {
  return { kind: 'unavailable', why, retryAfterMs: retryAfter }
}

/** Reads the form in seconds. The other form is a date by the service's clock, and is ignored. */
function retryAfterMs(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined
}
