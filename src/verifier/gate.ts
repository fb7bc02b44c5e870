/**
 * The way of a request to its route: one at a time on its connection, perhaps with a nonce that admits it,
 * within the rates of its client, and into the room that there is (admission.ts).
 */
import type { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CodedError } from '#core/errors.ts'
import type { Clock } from '#ports/clock.ts'
import { createAdmission, type Place, readBody, Shed } from './admission.ts'
import type { Connection, Connections } from './connections.ts'
import { NONCE_HEADER, type NonceAdmission } from './nonceAdmission.ts'
import { createRates, type Rate } from './rates.ts'

/** A route with shorter bodies needs no nonce: one of them gives it. No route at all needs one. */
const FREE_BODY_BYTES = 1024

/** What one client may do. */
export type RequestLimits = {
  /** Requests to one route. */
  readonly requests: Rate
  /** Bytes of bodies, which cost time before anything in them is checked. */
  readonly bodies: Rate
  readonly atOnce: number
  /** The refusal of a request beyond a rate comes this late, so that asking again at once gains nothing. */
  readonly penaltyMilliseconds: number
}

export type Gate = {
  /** Throws unless the connection may ask now. Nothing of the body is read before. */
  readonly admit: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  /** The whole body of an admitted request. It stays bytes: core decodes it, within its own limits. */
  readonly body: (request: FastifyRequest) => Promise<Buffer>
  /** The nonce that admitted the request, if one had to. */
  readonly nonceOf: (request: FastifyRequest) => Uint8Array | undefined
}

type Admitted = {
  readonly place: Place
  readonly signal: AbortSignal
  readonly nonce: Uint8Array | undefined
}

export function createGate(
  connections: Pick<Connections, 'of'>,
  clock: Pick<Clock, 'now' | 'monotonic' | 'sleep'>,
  closing: AbortSignal,
  limits: RequestLimits,
  nonces: NonceAdmission | undefined,
): Gate {
  const admission = createAdmission(limits.atOnce)
  const requests = createRates(limits.requests, clock.monotonic)
  const bodies = createRates(limits.bodies, clock.monotonic)
  const current = new WeakMap<IncomingMessage, Admitted>()

  const refuseLate = async (rate: string): Promise<never> => {
    await clock.sleep(limits.penaltyMilliseconds, closing).catch(() => {})
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
      if (connection.notAfter !== undefined && clock.now() >= connection.notAfter) {
        reply.header('connection', 'close')
        throw new CodedError('tls.refused', "the client's certificate has expired since the handshake")
      }
      const { client } = connection
      const maxBytes = routeOptions.bodyLimit ?? 0
      // First of all: a request without one takes nothing from those that have one.
      const isFree = routeOptions.url !== undefined && maxBytes <= FREE_BODY_BYTES
      const nonce = isFree ? undefined : nonces?.read(raw.headers[NONCE_HEADER])
      if (!requests.take(`${client} ${routeOptions.url}`))
        await refuseLate(`${limits.requests.perSecond} requests`)
      if (!bodies.take(client, announcedBytes(raw, maxBytes)))
        await refuseLate(`${limits.bodies.perSecond} bytes of bodies`)
      const place = admission.enter(client)
      reply.raw.once('close', place.leave)
      if (nonce !== undefined) nonces?.take(nonce)
      current.set(raw, { place, signal, nonce })
    },
    body: async ({ raw, routeOptions }) => {
      const admitted = current.get(raw)
      if (admitted === undefined) throw new CodedError('internal.fault', 'a request was not admitted')
      const { place, signal } = admitted
      const body = await readBody(raw, place, { maxBytes: routeOptions.bodyLimit ?? 0, signal })
      place.work()
      return body
    },
    nonceOf: ({ raw }) => current.get(raw)?.nonce,
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
