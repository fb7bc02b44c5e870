/**
 * The routes (routes.ts), behind one of two front doors (frontDoor.ts). Before core sees a request it passes the
 * limits of connections (connections.ts), and of rates and room (gate.ts). A request that fails gets a problem of
 * RFC 9457, without the reason (problems.ts).
 */
import type { Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyHttpsOptions, type FastifyRequest, type RouteHandlerMethod } from 'fastify'
import { CodedError } from '#core/errors.ts'
import type { WitnessAnswer } from '#core/evidence/witness/submission.ts'
import type { Challenge } from '#core/release/nonce.ts'
import { MAX_REQUEST_BYTES, type ReleaseResponse } from '#core/release/request.ts'
import type { Clock } from '#ports/clock.ts'
import { type Connections, type Drop, guardConnections } from './connections.ts'
import { FRONT_DOORS } from './frontDoor.ts'
import { createGate, type Gate } from './gate.ts'
import { createNonceAdmission } from './nonceAdmission.ts'
import { openApiBytes } from './openapi.ts'
import { createProblems, type Refused } from './problems.ts'
import { type Operation, ROUTE_LIST } from './routes.ts'
import { contextOf, handshakeOf, type ServerTls } from './serverTls.ts'
import type { TlsRefusal } from './tlsRefusals.ts'

/** A client that takes longer to send its 1.75 MiB at most is cut off, when the next check comes. */
export const REQUEST_MILLISECONDS = 30_000
const CHECK_MILLISECONDS = 5_000
/** Longer than the clients' pools keep a socket, so that they do not send into a closed one. */
const IDLE_MILLISECONDS = 65_000

export type VerifierRoutes = {
  readonly challenge: () => Challenge
  /** `nonce` admitted the body. It is undefined if none had to. */
  readonly release: (body: Uint8Array, nonce: Uint8Array | undefined) => Promise<ReleaseResponse>
  /** `path` has the route's parameters. */
  readonly witness: (path: unknown, body: Uint8Array) => Promise<WitnessAnswer>
  /** Throws for a nonce that is not ours or too old. */
  readonly checkNonce: (nonce: Uint8Array) => void
  /** Called for each request that is refused as a whole, before its response. */
  readonly refused: (refusal: Refused) => void
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
   * New handshakes use these. Idle connections are closed, and others with their answer, so that their clients
   * shake hands again: a certificate may be revoked by now. Throws `config.invalid`; the old ones then stay.
   */
  readonly setTls: (tls: ServerTls) => void
}

type Listen = { readonly host: string; readonly port: number }

/** Throws `config.invalid` for an invalid certificate or key, and for an address that it cannot listen on. */
export async function startServer(
  options: {
    readonly listen: Listen
    readonly tls: ServerTls
    readonly clock: Pick<Clock, 'now' | 'monotonic' | 'sleep'>
  },
  routes: VerifierRoutes,
): Promise<VerifierServer> {
  const { listen, tls, clock } = options
  const closing = new AbortController()
  const app = createApp(tls, {
    frameworkErrors: (error, _request, reply) => problems.answer(reply, error),
    clientErrorHandler: (_error, socket) => problems.endUnparsed(socket),
  })
  const { server } = app
  const door = FRONT_DOORS[tls.clientCertificates]
  const connections = guardConnections(
    server,
    clock.monotonic,
    { refused: routes.tlsRefused, dropped: routes.dropped },
    door,
  )
  const problems = createProblems(connections, routes.refused)
  server.on('checkExpectation', problems.endExpectation)
  app.setErrorHandler((error, _request, reply) => problems.answer(reply, error))
  app.setNotFoundHandler((_request, reply) =>
    problems.answer(reply, new CodedError('request.malformed', 'no such route')),
  )
  const nonces = door.needsNonce ? createNonceAdmission(routes.checkNonce, clock) : undefined
  const gate = createGate(connections, clock, closing.signal, door.limits, nonces)
  guardRequests(app, gate)
  app.addHook('onSend', async ({ raw: { socket } }, reply) => {
    if (closing.signal.aborted || connections.of(socket)?.isOutdated) reply.header('connection', 'close')
  })
  addRoutes(app, gate, routes)
  return {
    url: await startListening(app, listen),
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
      connections.outdate()
      server.closeIdleConnections()
    },
  }
}

type App = ReturnType<typeof createApp>
type Handlers = Required<Pick<FastifyHttpsOptions<Server>, 'frameworkErrors' | 'clientErrorHandler'>>

/** Fastify's own answers are no problem details, so the handlers give them. */
function createApp(tls: ServerTls, handlers: Handlers) {
  return misconfigured('tls', () =>
    fastify({
      ...handlers,
      https: {
        ...contextOf(tls),
        ...handshakeOf(tls.clientCertificates),
        connectionsCheckingInterval: CHECK_MILLISECONDS,
      },
      logger: false,
      bodyLimit: MAX_REQUEST_BYTES,
      requestTimeout: REQUEST_MILLISECONDS,
      keepAliveTimeout: IDLE_MILLISECONDS,
      forceCloseConnections: 'idle',
      exposeHeadRoutes: false,
      return503OnClosing: false,
    }),
  )
}

function guardRequests(app: App, gate: Gate): void {
  app.addHook('onRequest', gate.admit)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', gate.body)
}

function addRoutes(app: App, gate: Gate, { challenge, release, witness, answered }: VerifierRoutes): void {
  app.addHook('onResponse', async ({ routeOptions }, reply) =>
    answered(routeOptions.url ?? 'none', reply.statusCode, reply.elapsedTime / 1000),
  )
  const openApi = openApiBytes()
  const handlers: Readonly<Record<Operation, RouteHandlerMethod>> = {
    createChallenge: async () => challenge(),
    createRelease: async (request) => await release(bodyOf(request), gate.nonceOf(request)),
    createCosignature: async (request) => await witness(request.params, bodyOf(request)),
    getOpenApi: async (_request, reply) => reply.type('application/json').send(openApi),
  }
  for (const [operation, { method, path, maxBytes }] of ROUTE_LIST)
    app.route({
      method,
      url: path.replaceAll(/\{(\w+)\}/g, ':$1'),
      bodyLimit: maxBytes,
      handler: handlers[operation],
    })
}

function bodyOf({ body }: FastifyRequest): Buffer {
  if (!Buffer.isBuffer(body)) throw new CodedError('request.malformed', 'the request has no body')
  return body
}

/** Resolves with the server's URL. */
async function startListening(app: App, { host, port }: Listen): Promise<string> {
  try {
    await app.listen({ host, port })
  } catch (cause) {
    throw new CodedError('config.invalid', `listen: cannot listen on ${host}:${port}`, { cause })
  }
  // A TCP listener's address is never a string.
  const { port: chosen } = app.server.address() as AddressInfo
  return `https://${host.includes(':') ? `[${host}]` : host}:${chosen}`
}

function misconfigured<T>(field: string, make: () => T): T {
  try {
    return make()
  } catch (cause) {
    throw new CodedError('config.invalid', `${field}: certificate, key or CA is invalid`, { cause })
  }
}
