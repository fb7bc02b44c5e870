/**
 * The two routes, over TLS 1.3 with client certificates. A request that fails gets a problem of RFC 9457,
 * without the reason.
 */
import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyReply, type onRequestHookHandler } from 'fastify'
import { toHex, utf8 } from '#core/bytes.ts'
import { CodedError, codeOf, type ErrorCode } from '#core/errors.ts'
import type { Challenge } from '#core/release/nonce.ts'
import { RequestRefused, refusalBody } from '#core/release/refusal.ts'
import { MAX_REQUEST_BYTES, type ReleaseResponse } from '#core/release/request.ts'

/** Release requests at the same time, from the first byte to the end of the response. */
export const MAX_RELEASES = 128
const MAX_CONNECTIONS = 2048
/** A request for a challenge needs no body. A client may send `{}`. */
const MAX_CHALLENGE_BODY = 1024
/** A client that takes longer to send its 1.75 MiB at most is cut off. */
const REQUEST_MILLISECONDS = 30_000
/** Longer than the clients' pools keep a socket, so that they do not send into a closed one. */
const IDLE_MILLISECONDS = 65_000

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
}

export type VerifierServer = {
  /** `https://host:port`, with the port that the system chose if the configuration says 0. */
  readonly url: string
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

/** PEM. */
export type ServerTls = { readonly cert: string; readonly key: string; readonly clientCa: string }

/** Throws `config.invalid` for an invalid certificate or key, and for an address that it cannot listen on. */
export async function startServer(
  options: {
    readonly listen: { readonly host: string; readonly port: number }
    readonly tls: ServerTls
  },
  routes: VerifierRoutes,
): Promise<VerifierServer> {
  const { listen, tls } = options
  const app = misconfigured('tls', () =>
    fastify({
      https: { ...contextOf(tls), requestCert: true, rejectUnauthorized: true },
      logger: false,
      bodyLimit: MAX_REQUEST_BYTES,
      requestTimeout: REQUEST_MILLISECONDS,
      keepAliveTimeout: IDLE_MILLISECONDS,
      forceCloseConnections: 'idle',
      exposeHeadRoutes: false,
      return503OnClosing: true,
    }),
  )
  app.server.maxConnections = MAX_CONNECTIONS

  // The body stays bytes. Core decodes it, within its own limits.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  )

  const refuse = (reply: FastifyReply, code: ErrorCode, error: unknown) => {
    const id = error instanceof RequestRefused ? error.denialId : toHex(randomBytes(16))
    const body = refusalBody(code, id)
    routes.refused({ code, id, address: reply.request.ip, error })
    return reply
      .code(body.status)
      .type('application/problem+json')
      .send(utf8(JSON.stringify(body)))
  }
  app.setErrorHandler((error, _request, reply) => refuse(reply, codeOfFailure(error), error))
  app.setNotFoundHandler((_request, reply) =>
    refuse(reply, 'request.malformed', new CodedError('request.malformed', 'no such route')),
  )
  app.addHook('onResponse', async (request, reply) =>
    routes.answered(request.routeOptions.url ?? 'none', reply.statusCode, reply.elapsedTime / 1000),
  )

  app.post('/v1/challenges', { bodyLimit: MAX_CHALLENGE_BODY }, async () => routes.challenge())
  // Counted before the body is read, since the bodies in memory are limited.
  let current = 0
  const admit: onRequestHookHandler = (_request, reply, done) => {
    if (current >= MAX_RELEASES) {
      done(
        new CodedError(
          'verifier.unavailable',
          `${current} requests are in progress, the limit is ${MAX_RELEASES}`,
        ),
      )
      return
    }
    current += 1
    reply.raw.once('close', () => {
      current -= 1
    })
    done()
  }
  app.post('/v1/releases', { onRequest: admit }, async ({ body }) => {
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
  const { port } = app.server.address() as AddressInfo
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host
  return {
    url: `https://${host}:${port}`,
    close: async (milliseconds) => {
      const cut = setTimeout(() => app.server.closeAllConnections(), milliseconds)
      await app.close()
      clearTimeout(cut)
    },
    setTls: (next) => {
      misconfigured('tls', () => app.server.setSecureContext(contextOf(next)))
      app.server.closeIdleConnections()
    },
  }
}

function contextOf({ cert, key, clientCa }: ServerTls) {
  return { cert, key, ca: clientCa, minVersion: 'TLSv1.3' } as const
}

/** A request that fastify refuses is malformed: its body is too large, empty or of another type. */
function codeOfFailure(error: unknown): ErrorCode {
  const own = codeOf(error)
  if (own !== 'internal.fault' || error instanceof CodedError) return own
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
  return typeof status === 'number' && status >= 400 && status < 500 ? 'request.malformed' : own
}

function misconfigured<T>(field: string, make: () => T): T {
  try {
    return make()
  } catch (cause) {
    throw new CodedError('config.invalid', `${field}: certificate, key or CA is invalid`, { cause })
  }
}
