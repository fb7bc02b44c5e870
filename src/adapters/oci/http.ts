/**
 * The HTTP client inside every SDK client. It replaces the SDK's transport, signer, retries and circuit
 * breakers with one bounded policy. Every failure is a `CodedError`, and no message contains the body of an
 * error answer.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { CircuitBreaker, type HttpClient, type HttpRequest, NoRetryConfigurationDetails } from 'oci-common'
import type { ClockSkew } from '#adapters/system/clockSkew.ts'
import { CodedError } from '#core/errors.ts'
import { type Meaning, toFault, type WholeAnswer } from './answers.ts'
import { createSockets, exchange, type Limits, type Outgoing, readWhole } from './exchange.ts'
import { quietly } from './quiet.ts'
import { type Principal, signRequest } from './signature.ts'

/** Options of one call to an SDK client. */
export type CallOptions = {
  readonly signal?: AbortSignal | undefined
  /** Refusals that mean something else for this operation; they precede the general table. */
  readonly meanings?: readonly Meaning[]
  /** How often the call may be sent in all. 1 if a second sending could do harm. */
  readonly attempts?: number
  readonly answerMs?: number
}

export type Http = {
  /** The two arguments for the constructor of an SDK client. */
  readonly params: { readonly httpClient: HttpClient }
  readonly configuration: {
    readonly retryConfiguration: typeof NoRetryConfigurationDetails
    readonly circuitBreaker: CircuitBreaker
  }
  /** Runs one call of an SDK client. Throws `CodedError` or the signal's reason. */
  readonly call: <T>(operation: string, run: () => Promise<T>, options?: CallOptions) => Promise<T>
  /** The same for a call whose body is read as it arrives. The SDK sees an empty body. */
  readonly open: (
    operation: string,
    run: () => Promise<unknown>,
    options?: CallOptions,
  ) => Promise<IncomingMessage>
  readonly close: () => void
}

const ATTEMPTS = 4
const ANSWER_MS = 30_000
const IDLE_MS = 30_000
/** Full jitter over 100 ms, 200 ms, 400 ms, …, at most 2 s. */
const BACKOFF_MS = { first: 100, most: 2000 } as const

type Call = {
  readonly operation: string
  readonly options: CallOptions
  readonly streamed: boolean
  opened?: IncomingMessage
  failure?: unknown
}

/** A wrong clock is named in the errors that it causes: a 401, and a session token that is not obtained. */
export function createHttp(principal: Principal, skew: ClockSkew): Http {
  const sockets = createSockets()
  const calls = new AsyncLocalStorage<Call>()

  /** One exchange. Every answer of OCI says its time. */
  const ask = async (outgoing: Outgoing, limits: Limits): Promise<IncomingMessage> => {
    const told = skew.asking('oci')
    const response = await exchange(outgoing, sockets, limits)
    told(Date.parse(response.headers.date ?? '') / 1000)
    return response
  }

  /**
   * A principal without a token cannot ask anything, and a wrong clock is a reason to have none. An unsigned
   * request is refused, but its answer says the time.
   */
  const withClock = async <T>(work: Promise<T>, origin: string, limits: Limits): Promise<T> => {
    try {
      return await work
    } catch (error) {
      if (!(error instanceof CodedError)) throw error
      const { host } = new URL(origin)
      const unsigned = { method: 'GET', origin, target: '/', headers: { host }, body: new Uint8Array() }
      await ask(unsigned, limits).then(
        (response) => response.destroy(),
        () => {},
      )
      throw new CodedError(error.code, error.message + skew.clause('oci'), { cause: error })
    }
  }

  /**
   * Signs and sends once. After a 401 renews the token and sends again, once; the principal compares the
   * tokens.
   */
  const sendOnce = async (
    outgoing: Outgoing,
    bodyUnsigned: boolean,
    call: Call,
  ): Promise<IncomingMessage | WholeAnswer> => {
    const limits: Limits = {
      answerMs: call.options.answerMs ?? ANSWER_MS,
      idleMs: IDLE_MS,
      signal: call.options.signal,
    }
    const { method, origin, target, body } = outgoing
    const { host } = new URL(origin)
    for (let renewed = false; ; renewed = true) {
      const identity = await withClock(principal.identity(), origin, limits)
      const unsigned = {
        method,
        target,
        host,
        headers: outgoing.headers,
        body,
        bodyUnsigned,
        date: new Date(),
      }
      const headers = await signRequest(unsigned, identity)
      const response = await ask({ method, origin, target, headers, body }, limits)
      if (call.streamed && isSuccess(response.statusCode)) return response
      const answer = await readWhole(response, limits)
      if (answer.status !== 401 || renewed) return answer
      await withClock(principal.renew(identity), origin, limits)
    }
  }

  const send = async (request: HttpRequest, bodyUnsigned: boolean, call: Call): Promise<Response> => {
    const outgoing = toOutgoing(request)
    const { signal, meanings = [], attempts = ATTEMPTS } = call.options
    for (let attempt = 1; ; attempt += 1) {
      signal?.throwIfAborted()
      const outcome = await sendOnce(outgoing, bodyUnsigned, call).catch((cause: unknown) => {
        signal?.throwIfAborted()
        return cause instanceof CodedError ? cause : transportFault(call.operation, cause)
      })
      if (!(outcome instanceof Error)) {
        if (!('body' in outcome)) {
          call.opened = outcome
          return new Response(null, { headers: toHeaders(outcome.headers) })
        }
        if (isSuccess(outcome.status)) return toResponse(outcome)
      }
      const fault =
        outcome instanceof Error
          ? { error: outcome, retry: outcome.code === 'service.unavailable' }
          : toFault(call.operation, outcome, meanings, outcome.status === 401 ? skew.clause('oci') : '')
      if (!fault.retry || attempt >= attempts) throw fault.error
      await sleep(backoffMs(attempt), undefined, signal === undefined ? {} : { signal })
    }
  }

  const httpClient: HttpClient = {
    send: (request, bodyUnsigned = false) => {
      const call = calls.getStore()
      if (call === undefined) throw new CodedError('internal.fault', 'an SDK client was used outside a call')
      return send(request, bodyUnsigned, call).catch((error: unknown) => {
        // Kept here: the SDK's retrier would turn it into a plain object without its code.
        call.failure = error
        throw error
      })
    },
  }

  const run = async <T>(call: Call, operation: () => Promise<T>): Promise<T> => {
    try {
      return await calls.run(call, () => quietly(operation))
    } catch (error) {
      call.options.signal?.throwIfAborted()
      if (call.failure !== undefined) throw call.failure
      // Without its cause: a parse error of the SDK quotes the answer, which may contain a key.
      const kind = error instanceof Error ? error.name : typeof error
      throw new CodedError('service.failed', `${call.operation}: the answer is not as documented (${kind})`)
    }
  }

  return {
    params: { httpClient },
    configuration: {
      retryConfiguration: NoRetryConfigurationDetails,
      circuitBreaker: new CircuitBreaker({ disableClientCircuitBreaker: true }),
    },
    call: (operation, work, options = {}) => run({ operation, options, streamed: false }, work),
    open: async (operation, work, options = {}) => {
      const call: Call = { operation, options, streamed: true }
      await run(call, work)
      if (call.opened === undefined) throw new CodedError('internal.fault', `${operation} opened no answer`)
      return call.opened
    },
    close: () => {
      sockets.plain.destroy()
      sockets.tls.destroy()
      principal.close()
    },
  }
}

/** `service.unavailable`: no answer came, or not all of it. */
export function transportFault(operation: string, cause: unknown): CodedError {
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
  return new CodedError('service.unavailable', `${operation} got no answer${code}`, { cause })
}

function toOutgoing(request: HttpRequest): Outgoing {
  const { origin } = new URL(request.uri)
  const slash = request.uri.indexOf('/', request.uri.indexOf('//') + 2)
  return {
    method: request.method,
    origin,
    target: slash === -1 ? '/' : request.uri.slice(slash),
    headers: Object.fromEntries(request.headers),
    body: toBody(request.body),
  }
}

/**
 * Takes only bytes, which can be sent again. For a web stream of known length the SDK silently sends nothing.
 */
function toBody(body: unknown): Uint8Array {
  if (body === undefined || body === null) return new Uint8Array()
  if (typeof body === 'string') return Buffer.from(body)
  if (body instanceof Uint8Array) return body
  throw new CodedError('internal.fault', 'a request body must be bytes or text')
}

function isSuccess(status: number | undefined): boolean {
  return status !== undefined && status >= 200 && status <= 299
}

function toResponse(answer: WholeAnswer): Response {
  const body = answer.body.byteLength === 0 ? null : new Uint8Array(answer.body)
  return new Response(body, { status: answer.status, headers: toHeaders(answer.headers) })
}

function toHeaders(headers: IncomingHttpHeaders): Headers {
  const all = new Headers()
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) all.set(name, String(value))
  return all
}

function backoffMs(attempt: number): number {
  return Math.random() * Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** (attempt - 1))
}
