/**
 * The room for requests. A body waits in memory until it is complete; only then does its request take one of
 * the places for work, so unfinished bodies keep no one else out.
 */
import type { IncomingMessage } from 'node:http'
import { CodedError, type ErrorCode } from '#core/errors.ts'

const MIB = 1024 * 1024

export const ADMISSION_LIMITS = {
  /** Complete requests in progress. */
  working: 128,
  /** Of all bodies in memory: 73 of maximum length. */
  bodyBytes: 128 * MIB,
} as const

/** A refusal that passes by itself. Its response says when to ask again. */
export class Shed extends CodedError {
  readonly retryAfterSeconds: number

  constructor(code: ErrorCode, message: string, retryAfterSeconds: number) {
    super(code, message)
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** One request's share of the room. Its methods throw `Shed` if there is none left. */
export type Place = {
  /** Memory for more bytes of its body. */
  readonly hold: (bytes: number) => void
  /** A place among the requests in progress, once its body is complete. */
  readonly work: () => void
  readonly leave: () => void
}

export type Admission = { readonly enter: (client: string) => Place }

const RETRY_SECONDS = 2

/** `perClient`: its requests at once, from the first byte to the end of the response. */
export function createAdmission(perClient: number): Admission {
  const entered = new Map<string, number>()
  let working = 0
  let held = 0
  return {
    enter: (client) => {
      const inside = entered.get(client) ?? 0
      if (inside >= perClient)
        throw new Shed('client.busy', `the client has ${inside} requests in progress`, RETRY_SECONDS)
      entered.set(client, inside + 1)
      let bytes = 0
      let isWorking = false
      return {
        hold: (more) => {
          if (held + more > ADMISSION_LIMITS.bodyBytes)
            throw new Shed('verifier.unavailable', `request bodies take ${held} bytes`, RETRY_SECONDS)
          held += more
          bytes += more
        },
        work: () => {
          if (working >= ADMISSION_LIMITS.working)
            throw new Shed('verifier.unavailable', `${working} requests are in progress`, RETRY_SECONDS)
          working += 1
          isWorking = true
        },
        leave: () => {
          held -= bytes
          bytes = 0
          if (isWorking) working -= 1
          isWorking = false
          const left = (entered.get(client) ?? 1) - 1
          if (left === 0) entered.delete(client)
          else entered.set(client, left)
        },
      }
    },
  }
}

/**
 * Reads a whole body into the request's place. Throws `request.malformed` for one that is longer, ends early
 * or is stopped by `signal`, with the signal's reason.
 */
export async function readBody(
  request: IncomingMessage,
  place: Place,
  { maxBytes, signal }: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<Buffer> {
  const tooLong = () => new CodedError('request.malformed', `the body has more than ${maxBytes} bytes`)
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLong()
  signal.throwIfAborted()
  const chunks: Buffer[] = []
  let size = 0
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const take = (chunk: Buffer) => {
    size += chunk.byteLength
    try {
      if (size > maxBytes) throw tooLong()
      place.hold(chunk.byteLength)
      chunks.push(chunk)
    } catch (error) {
      stop(error)
    }
  }
  // The stream stays open: the response still has to leave through its socket.
  const stop = (error: unknown) => {
    request.off('data', take)
    reject(error)
  }
  const cut = () => stop(new CodedError('request.malformed', 'the body ends early'))
  const abort = () => stop(signal.reason)
  request.on('data', take)
  request.once('end', () => resolve(Buffer.concat(chunks, size)))
  request.once('error', cut)
  request.once('close', cut)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await promise
  } finally {
    request.off('close', cut)
    signal.removeEventListener('abort', abort)
  }
}
