/** The two halves of an HTTP answer: its head, and a body within a limit. */
import type { ClientRequest, IncomingMessage } from 'node:http'

/** Sends a request and resolves with the head of its answer. The body is to be read or destroyed. */
export function answerTo(request: ClientRequest, body?: Uint8Array): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  // The error listener stays: a socket that breaks after the head must not end the process.
  request.on('response', resolve).on('error', reject).end(body)
  return promise
}

/**
 * Reads a whole body. Undefined if it has more than `maxBytes`; the socket is then closed, the rest unread.
 */
export async function readBody(response: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response) {
    // Without an encoding set, a response yields buffers only.
    const bytes: Buffer = chunk
    size += bytes.byteLength
    if (size > maxBytes) {
      response.destroy()
      return undefined
    }
    chunks.push(bytes)
  }
  return Buffer.concat(chunks, size)
}
