/**
 * The way of a request to its route: one at a time on its connection, within the rates of its certificate, and
 * into the room that there is (admission.ts).
 */
import type { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CodedError } from '#core/errors.ts'
import type { Clock } from '#ports/clock.ts'
import { createAdmission, type Place, readBody, Shed } from './admission.ts'
import type { Connection, Connections } from './connections.ts'
import { createRates, type Rate } from './rates.ts'

const MIB = 1024 * 1024

/**
 * Requests of one certificate to one route. A guest makes about one report a second, so this is a pool of
 * twenty behind one certificate.
 */
export const REQUEST_RATE: Rate = { perSecond: 20, burst: 64 }
/**
 * Bytes of the bodies of one certificate, which cost time before anything in them is checked. Two guests do
 * not reach it, even if they ask for the most objects once a second.
 */
export const BODY_RATE: Rate = { perSecond: 4 * MIB, burst: 32 * MIB }
/** The refusal of a request beyond a rate comes this late, so that asking again at once gains nothing. */
const PENALTY_MILLISECONDS = 1_000

export type Gate = {
  /** Throws unless the connection may ask now. Nothing of the body is read before. */
  readonly admit: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  /** The whole body of an admitted request. It stays bytes: core decodes it, within its own limits. */
  readonly body: (request: FastifyRequest) => Promise<Buffer>
}

export function createGate(
  connections: Pick<Connections, 'of'>,
  clock: Pick<Clock, 'now' | 'monotonic' | 'sleep'>,
  closing: AbortSignal,
): Gate {
  const admission = createAdmission()
  const requests = createRates(REQUEST_RATE, clock.monotonic)
  const bodies = createRates(BODY_RATE, clock.monotonic)
  const current = new WeakMap<IncomingMessage, { readonly place: Place; readonly signal: AbortSignal }>()

  const refuseLate = async (rate: string): Promise<never> => {
    await clock.sleep(PENALTY_MILLISECONDS, closing).catch(() => {})
    throw new Shed('client.busy', `more than ${rate} a second`, 1)
  }

  return {
    admit: async ({ raw, routeOptions }, reply) => {
      const connection = connections.of(raw.socket)
      if (closing.aborted || connection === undefined)
        throw new Shed('verifier.unavailable', 'the Verifier is ending', 1)
      if (connection.request !== undefined) {
        raw.socket.destroy()
        throw new CodedError('request.malformed', 'a second request came before the answer to the first')
      }
      const signal = occupy(connection, reply)
      if (clock.now() >= connection.notAfter) {
        reply.header('connection', 'close')
        throw new CodedError('tls.refused', "the client's certificate has expired since the handshake")
      }
      const { certificate } = connection
      if (!requests.take(`${certificate} ${routeOptions.url}`))
        await refuseLate(`${REQUEST_RATE.perSecond} requests`)
      if (!bodies.take(certificate, announcedBytes(raw, routeOptions.bodyLimit ?? 0)))
        await refuseLate(`${BODY_RATE.perSecond} bytes of bodies`)
      const place = admission.enter(certificate)
      reply.raw.once('close', place.leave)
      current.set(raw, { place, signal })
    },
    body: async ({ raw, routeOptions }) => {
      const admitted = current.get(raw)
      if (admitted === undefined) throw new CodedError('internal.fault', 'a request was not admitted')
      const { place, signal } = admitted
      const body = await readBody(raw, place, { maxBytes: routeOptions.bodyLimit ?? 0, signal })
      place.work()
      return body
    },
  }
}

/** Until its response is over, the connection has this request. The signal ends the reading of its body. */
function occupy(connection: Connection, reply: FastifyReply): AbortSignal {
  const stopping = new AbortController()
  const request = { stop: (error: CodedError) => stopping.abort(error) }
  connection.request = request
  reply.raw.once('close', () => {
    connection.request = undefined
  })
  return stopping.signal
}

/** Of a body in chunks the head says no length: it counts as the longest. No more than the longest is read. */
function announcedBytes({ headers }: IncomingMessage, maxBytes: number): number {
  if (headers['transfer-encoding'] !== undefined) return maxBytes
  return Math.min(Number(headers['content-length'] ?? 0), maxBytes)
}
