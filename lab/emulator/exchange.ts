/** One HTTP exchange: reads a bounded body, sends OCI's responses and errors. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { OciError, type ServiceResponse } from './service.ts'

/** Throws 413 as soon as the body announces or exceeds more than `maxBytes`. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = (): OciError =>
    new OciError(413, 'RequestEntityTooLarge', `the body exceeds ${maxBytes} bytes`)
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge()
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += chunk.byteLength
    if (size > maxBytes) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

export async function sendResponse(
  request: IncomingMessage,
  response: ServerResponse,
  answer: ServiceResponse,
): Promise<void> {
  const bytes = answer.json === undefined ? answer.bytes : Buffer.from(JSON.stringify(answer.json))
  const headers: Record<string, string> = {
    'opc-request-id': requestId(request),
    ...(answer.json === undefined ? {} : { 'content-type': 'application/json' }),
    ...answer.headers,
  }
  const clientRequestId = request.headers['opc-client-request-id']
  if (typeof clientRequestId === 'string') headers['opc-client-request-id'] = clientRequestId
  // Reads a refused upload to its end, so that the client reads the response.
  if (!request.readableEnded) request.resume()
  if (answer.stream === undefined || request.method === 'HEAD') {
    answer.stream?.destroy()
    const hasBody = request.method !== 'HEAD' && answer.status !== 204 && answer.status !== 304
    if (hasBody) headers['content-length'] = String(bytes?.byteLength ?? 0)
    response.writeHead(answer.status, headers)
    response.end(hasBody ? bytes : undefined)
    return
  }
  response.writeHead(answer.status, headers)
  // If the client leaves in the middle of a body, there is no one to tell.
  await pipeline(answer.stream, response).catch(() => undefined)
}

/** `{"code", "message"}`. An error other than `OciError` is a fault of the emulator. */
export function toResponse(error: unknown): ServiceResponse {
  if (error instanceof OciError)
    return { status: error.status, json: { code: error.code, message: error.message } }
  return { status: 500, json: { code: 'InternalServerError', message: 'the emulator failed' } }
}

export function emptyStream(): Readable {
  return Readable.from([])
}

/** OCI returns the client's request id and appends its own. */
function requestId(request: IncomingMessage): string {
  const given = request.headers['opc-request-id']
  const own = randomUUID().replaceAll('-', '').toUpperCase()
  return typeof given === 'string' && /^[\w/-]{1,98}$/.test(given) ? `${given.split('/')[0]}/${own}` : own
}
