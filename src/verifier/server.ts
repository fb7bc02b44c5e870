/**
 * The two routes, over TLS 1.3 with client certificates. Before core sees a request it passes the limits of
 * connections (connections.ts), of rates (below) and of room (admission.ts). A request that fails gets a
 * problem of RFC 9457, without the reason.
 */
import type { IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import { CodedError, type ErrorCode } from '#core/errors.ts'
import type { Challenge } from '#core/release/nonce.ts'
import { MAX_REQUEST_BYTES, type ReleaseResponse } from '#core/release/request.ts'
import type { Clock } from '#ports/clock.ts'
import { createAdmission, type Place, readBody, Shed } from './admission.ts'
import { type Connection, type Connections, type Drop, guardConnections } from './connections.ts'
import { problemOf, writeProblem } from './problems.ts'
import { createRates } from './rates.ts'
import { contextOf, HANDSHAKE, type ServerTls } from './serverTls.ts'
import type { TlsRefusal } from './tlsRefusals.ts'

/** A request for a challenge needs no body. A client may send `{}`. */
const MAX_CHALLENGE_BODY = 1024
/** A client that takes longer to send its 1.75 MiB at most is cut off, when the next check comes. */
export const REQUEST_MILLISECONDS = 30_000
const CHECK_MILLISECONDS = 5_000
/** Longer than the clients' pools keep a socket, so that they do not send into a closed one. */
const IDLE_MILLISECONDS = 65_000
/**
 * Requests of one certificate to one route. A guest makes about one report a second, so this is a pool of
 * twenty behind one certificate.
 */
export const REQUEST_RATE = { perSecond: 20, burst: 64 } as const
/** The refusal of a request beyond the rate comes this late, so that asking again at once gains nothing. */
const PENALTY_MILLISECONDS = 1_000

export type VerifierRoutes = {
  readonly challenge: () => Challenge
  readonly release: (body: Uint8Array) => Promise<ReleaseResponse>
  /**
   * Called for each request that is refused as a whole, before its response. The sender gets `id`, which is
   * the decision's own if `error` is `RequestRefused`.
   */
  readonly refused: (refusal: {
    readonly code: ErrorCode
    readonly id: string
    readonly address: string
    readonly error: unknown
  }) => void
  readonly answered: (route: string, status: number, seconds: number) => void
  /** Called for each handshake that fails. */
  readonly tlsRefused: (reason: TlsRefusal, address: string) => void
  /** Called for each connection that is closed to make room. */
  readonly dropped: (reason: Drop) => void
}

export type VerifierServer = {
  /** `https://host:port`, with the port that the system chose if the configuration says 0. */
  readonly url: string
  readonly connections: Connections['count']
  /**
   * Takes no new connections. Resolves when the current requests are answered, or cut off after that time.
   */
  readonly close: (milliseconds: number) => Promise<void>
  /**
   * New handshakes use these. Idle connections are closed, so that their clients shake hands again. Throws
   * `config.invalid`; the old ones then stay.
   */
  readonly setTls: (tls: ServerTls) => void
}

/** Throws `config.invalid` for an invalid certificate or key, and for an address that it cannot listen on. */
export async function startServer(
  options: {
    readonly listen: { readonly host: string; readonly port: number }
    readonly tls: ServerTls
    readonly clock: Pick<Clock, 'now' | 'monotonic' | 'sleep'>
  },
  routes: VerifierRoutes,
): Promise<VerifierServer> {
  const { listen, tls, clock } = options
  const refuse = (error: unknown, address: string) => {
    const problem = problemOf(error)
    routes.refused({ code: problem.code, id: problem.id, address, error })
    return problem
  }
  const answerWith = (reply: FastifyReply, error: unknown) => {
    const { status, headers, body } = refuse(error, addressOf(reply.request.raw.socket))
    return reply.code(status).headers(headers).send(body)
  }

  const app = misconfigured('tls', () =>
    fastify({
      https: { ...contextOf(tls), ...HANDSHAKE, connectionsCheckingInterval: CHECK_MILLISECONDS },
      logger: false,
      bodyLimit: MAX_REQUEST_BYTES,
      requestTimeout: REQUEST_MILLISECONDS,
      keepAliveTimeout: IDLE_MILLISECONDS,
      forceCloseConnections: 'idle',
      exposeHeadRoutes: false,
      // Fastify's own answers are no problem details.
      return503OnClosing: false,
      frameworkErrors: (error, _request, reply) => answerWith(reply, error),
      clientErrorHandler: (_error, socket) => endUnparsed(socket),
    }),
  )
  const { server } = app
  const connections = guardConnections(server, clock.monotonic, {
    refused: routes.tlsRefused,
    dropped: routes.dropped,
  })
  const addressOf = (socket: Socket | null) => (socket && connections.of(socket)?.address) ?? ''
  /** Node could not parse a head or a body, or the time for it is over. */
  const endUnparsed = (socket: Socket) => {
    const error = new CodedError('request.malformed', 'the request is not HTTP/1.1, too long or too slow')
    const connection = connections.of(socket)
    // A handshake that failed is counted elsewhere. One that was cut needs no answer.
    if (connection === undefined || !socket.writable) socket.destroy()
    else if (connection.request !== undefined) connection.request.stop(error)
    else writeProblem(socket, refuse(error, connection.address))
  }
  server.on('checkExpectation', (_request, response) => {
    const { status, headers, body } = refuse(
      new CodedError('request.malformed', 'no expectation but 100-continue is met'),
      addressOf(response.socket),
    )
    response.writeHead(status, { ...headers, connection: 'close' }).end(body)
  })

  const admission = createAdmission()
  const rates = createRates(REQUEST_RATE, clock.monotonic)
  const closing = new AbortController()
  const current = new WeakMap<IncomingMessage, { readonly place: Place; readonly signal: AbortSignal }>()

  /** Throws unless the connection may ask now. */
  const admit = async ({ raw, routeOptions }: FastifyRequest, reply: FastifyReply) => {
    const connection = connections.of(raw.socket)
    if (closing.signal.aborted || connection === undefined)
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
    if (!rates.take(`${connection.certificate} ${routeOptions.url}`)) {
      await clock.sleep(PENALTY_MILLISECONDS, closing.signal).catch(() => {})
      throw new Shed('client.busy', `more than ${REQUEST_RATE.perSecond} requests a second`, 1)
    }
    const place = admission.enter(connection.certificate)
    reply.raw.once('close', place.leave)
    current.set(raw, { place, signal })
  }
  app.addHook('onRequest', admit)
  app.addHook('onSend', async (_request, reply) => {
    if (closing.signal.aborted) reply.header('connection', 'close')
  })
  app.addHook('onResponse', async (request, reply) =>
    routes.answered(request.routeOptions.url ?? 'none', reply.statusCode, reply.elapsedTime / 1000),
  )

  // The body stays bytes. Core decodes it, within its own limits.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', async ({ raw, routeOptions }: FastifyRequest) => {
    const admitted = current.get(raw)
    if (admitted === undefined) throw new CodedError('internal.fault', 'a request was not admitted')
    const { place, signal } = admitted
    const body = await readBody(raw, place, { maxBytes: routeOptions.bodyLimit ?? 0, signal })
    place.work()
    return body
  })
  app.setErrorHandler((error, _request, reply) => answerWith(reply, error))
  app.setNotFoundHandler((_request, reply) =>
    answerWith(reply, new CodedError('request.malformed', 'no such route')),
  )
  app.post('/v1/challenges', { bodyLimit: MAX_CHALLENGE_BODY }, async () => routes.challenge())
  app.post('/v1/releases', async ({ body }) => {
    if (!Buffer.isBuffer(body)) throw new CodedError('request.malformed', 'the request has no body')
    return await routes.release(body)
  })

  try {
    await app.listen({ host: listen.host, port: listen.port })
  } catch (cause) {
    throw new CodedError('config.invalid', `listen: cannot listen on ${listen.host}:${listen.port}`, {
      cause,
    })
  }
  // A TCP listener's address is never a string.
  const { port } = server.address() as AddressInfo
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host
  return {
    url: `https://${host}:${port}`,
    connections: connections.count,
    close: async (milliseconds) => {
      const cut = setTimeout(() => server.closeAllConnections(), milliseconds)
      closing.abort()
      connections.endHandshakes()
      await app.close()
      clearTimeout(cut)
    },
    setTls: (next) => {
      misconfigured('tls', () => server.setSecureContext(contextOf(next)))
      server.closeIdleConnections()
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

function misconfigured<T>(field: string, make: () => T): T {
  try {
    return make()
  } catch (cause) {
    throw new CodedError('config.invalid', `${field}: certificate, key or CA is invalid`, { cause })
  }
}
