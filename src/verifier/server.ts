/** The two routes, over TLS 1.3 with client certificates. What fails as a whole is answered by RFC 9457, without its reason. */
import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyReply, type onRequestHookHandler } from 'fastify'
import { toHex, utf8 } from '#core/bytes.ts'
import { CodedError, codeOf, type ErrorCode } from '#core/errors.ts'
import type { Challenge } from '#core/release/nonce.ts'
import { refusalBody } from '#core/release/refusal.ts'
import { MAX_REQUEST_BYTES, type ReleaseResponse } from '#core/release/request.ts'

/** Release requests from their first byte to the end of their answer. */
export const MAX_RELEASES = 128
const MAX_CONNECTIONS = 2048
/** A challenge is asked for with nothing; a client may send `{}`. */
const MAX_CHALLENGE_BODY = 1024
/** A client that takes longer to send what is at most 1.75 MiB is cut off. */
const REQUEST_MILLISECONDS = 30_000
/** Longer than the pools of the clients keep a socket, so that they never meet a close. */
const IDLE_MILLISECONDS = 65_000

export type VerifierRoutes = {
  readonly challenge: () => Challenge
  readonly release: (body: Uint8Array) => Promise<ReleaseResponse>
  /** Told of each request that fails as a whole, before its answer; `id` is what the sender hears. */
  readonly refused: (refusal: {
    readonly code: ErrorCode
    readonly id: string
    readonly address: string
    readonly error: unknown
  }) => void
  readonly answered: (route: string, status: number, seconds: number) => void
}

export type VerifierServer = {
  /** `https://host:port`; the port that the system chose where the configuration said 0. */
  readonly url: string
  /** Takes no new connections and resolves when the requests in hand are answered; cuts off those that take longer. */
  readonly close: (milliseconds: number) => Promise<void>
}

/** Throws `config.invalid` for a certificate or key that is none, or an address that cannot be listened on. */
export async function startServer(
  options: {
    readonly listen: { readonly host: string; readonly port: number }
    /** PEM. */
    readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string }
  },
  routes: VerifierRoutes,
): Promise<VerifierServer> {
  const { listen, tls } = options
  const app = misconfigured('tls', () =>
    fastify({
      https: {
        cert: tls.cert,
        key: tls.key,
        ca: tls.clientCa,
        requestCert: true,
        rejectUnauthorized: true,
        minVersion: 'TLSv1.3',
      },
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

  // The body stays bytes: core reads it, within its own limits.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  )

  const refuse = (reply: FastifyReply, code: ErrorCode, error: unknown) => {
    const id = toHex(randomBytes(16))
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
  // Before the body is read: what counts is how many bodies may be in memory.
  let inHand = 0
  const admit: onRequestHookHandler = (_request, reply, done) => {
    if (inHand >= MAX_RELEASES) {
      done(new CodedError('verifier.unavailable', `${inHand} requests are in hand, which is the limit`))
      return
    }
    inHand += 1
    reply.raw.once('close', () => {
      inHand -= 1
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
    throw new CodedError('config.invalid', `cannot listen on ${listen.host}:${listen.port}`, { cause })
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
  }
}

/** What fastify itself refuses (a body too large, of no length, of another type) is a malformed request. */
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
    throw new CodedError('config.invalid', `${field}: certificate, key or CA cannot be used`, { cause })
  }
}
