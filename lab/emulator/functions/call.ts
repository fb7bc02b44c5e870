/**
 * Calls a function over the Fn contract: POST /call on the unix socket where its FDK listens (http-stream).
 */
import { randomUUID } from 'node:crypto'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { CodedError } from '#core/errors.ts'
import type { EmulatorConfig } from '#lab/emulator/config.ts'

const MAX_ANSWER_BYTES = 6 * 1024 * 1024

export type FunctionResponse = {
  readonly callId: string
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** Throws `service.unavailable` if no process listens, the deadline passes or the connection breaks. */
export function callFunction(
  { socket, timeoutSeconds }: Pick<EmulatorConfig['functions'][number], 'socket' | 'timeoutSeconds'>,
  body: Uint8Array,
  options: { readonly contentType: string; readonly now: number; readonly signal: AbortSignal },
): Promise<FunctionResponse> {
  const callId = randomUUID().replaceAll('-', '').toUpperCase().slice(0, 26)
  const timeoutMs = timeoutSeconds * 1000
  const { promise, resolve, reject } = Promise.withResolvers<FunctionResponse>()
  const fail = (cause: unknown): void =>
    reject(new CodedError('service.unavailable', 'the function does not answer', { cause }))
  const request = httpRequest({
    socketPath: socket,
    path: '/call',
    method: 'POST',
    agent: false,
    signal: AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMs)]),
    headers: {
      host: 'localhost',
      'content-type': options.contentType,
      'content-length': body.byteLength,
      'fn-call-id': callId,
      'fn-deadline': new Date(options.now + timeoutMs).toISOString(),
      'fn-intent': 'cloudevent',
    },
  })
  request.on('error', fail)
  request.on('response', (response) => {
    const chunks: Buffer[] = []
    let size = 0
    response.on('data', (chunk: Buffer) => {
      size += chunk.byteLength
      if (size > MAX_ANSWER_BYTES) request.destroy(new Error('the answer of the function exceeds 6 MiB'))
      else chunks.push(chunk)
    })
    response.on('error', fail)
    response.on('end', () => {
      const { headers, statusCode = 0 } = response
      resolve({ callId, status: statusCode, headers, body: Buffer.concat(chunks) })
    })
  })
  request.end(body)
  return promise
}
