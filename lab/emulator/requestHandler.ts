/**
 * Handles every request before and after its service: finds the route, verifies the signature, reads a
 * bounded body, checks the policy, and answers only when the service's changes are on disk.
 */
import { once } from 'node:events'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { answerControl, type Calls, CONTROL_PREFIX } from './control.ts'
import { emptyStream, readBody, sendResponse, toResponse } from './exchange.ts'
import type { Fault, Faults } from './faults.ts'
import { withBodyFault } from './faultyBody.ts'
import { FEDERATION_PATH } from './identity/federation.ts'
import type { Principals } from './identity/principals.ts'
import type { Sessions } from './identity/sessions.ts'
import {
  notAuthenticated,
  parseAuthorization,
  type SignedRequest,
  verifyBody,
  verifySignature,
} from './identity/signature.ts'
import type { Policy } from './policy/policy.ts'
import { createRouter, type Match } from './routing.ts'
import {
  type Access,
  notAuthorizedOrNotFound,
  OciError,
  type Principal,
  type Service,
  type ServiceResponse,
} from './service.ts'

const FEDERATION_MAX_BYTES = 64 * 1024
const DEFAULT_MAX_BODY_BYTES = 1024 * 1024

export type HandlerParts = {
  readonly services: readonly Service[]
  readonly principals: Principals
  readonly sessions: Sessions
  readonly federation: (request: SignedRequest, body: Buffer, now: number) => Promise<ServiceResponse>
  readonly policy: Policy
  readonly faults: Faults
  readonly calls: Calls
  readonly setClock: (offsetSeconds: number) => void
  readonly rotate: (id: string) => Promise<string | undefined>
  /** State that the control endpoint shows. */
  readonly inspect: () => Readonly<Record<string, unknown>>
  readonly now: () => number
  /** Called with every failure of the emulator itself. */
  readonly onFault: (error: unknown) => void
}

/** Thrown to cut the connection instead of answering. */
class Reset extends Error {}

export function createRequestHandler(parts: HandlerParts): RequestListener {
  const find = createRouter(parts.services)

  const answer = async (request: IncomingMessage, signal: AbortSignal): Promise<ServiceResponse> => {
    const method = request.method ?? ''
    const url = request.url ?? ''
    const signed: SignedRequest = { method, url, headers: request.headers }
    const [path = '', query = ''] = url.split(/\?(.*)/s)
    if (path.startsWith(CONTROL_PREFIX)) return await answerControl(parts, method, path, request)
    if (path === FEDERATION_PATH && method === 'POST') {
      const body = await readBody(request, FEDERATION_MAX_BYTES)
      return await withFault(
        parts.faults.take({ service: 'federation', method, path, principal: undefined }),
        () => parts.federation(signed, body, parts.now()),
        signal,
      )
    }
    const match = find(method, path)
    if (match === undefined) throw new OciError(404, 'NotFound', 'no such path in the emulator')
    const principal = await authenticate(parts, signed, match)
    const fault = parts.faults.take({ service: match.service.name, method, path, principal: principal.id })
    const call = { request, signed, match, principal, path, query, signal }
    return await withFault(fault, () => serve(parts, call), signal)
  }

  return (request, response) => {
    const gone = new AbortController()
    response.once('close', () => {
      if (!response.writableFinished) gone.abort()
    })
    void respond(parts, request, response, () => answer(request, gone.signal))
  }
}

async function respond(
  parts: HandlerParts,
  request: IncomingMessage,
  response: ServerResponse,
  answer: () => Promise<ServiceResponse>,
): Promise<void> {
  try {
    const result = await answer().catch((error: unknown) => {
      if (error instanceof Reset) throw error
      if (!(error instanceof OciError) && !request.destroyed) parts.onFault(error)
      return toResponse(error)
    })
    parts.calls.count(request, result.status)
    response.setHeader('date', new Date(parts.now()).toUTCString())
    await sendResponse(request, response, result)
  } catch (error) {
    if (!(error instanceof Reset)) parts.onFault(error)
    request.socket.destroy()
  }
}

async function authenticate(
  parts: HandlerParts,
  signed: SignedRequest,
  { route }: Match,
): Promise<Principal> {
  const now = parts.now()
  const signature = parseAuthorization(signed.headers.authorization)
  const { keyId } = signature
  const known = keyId.startsWith('ST$')
    ? await parts.sessions.find(keyId.slice(3), now)
    : parts.principals.apiKey(keyId)
  if (known === undefined) throw notAuthenticated('the key id is unknown or its token has expired')
  verifySignature(signed, signature, known.key, { bodyUnsigned: route.bodyUnsigned === true, now })
  return known.principal
}

async function serve(
  parts: HandlerParts,
  call: {
    readonly request: IncomingMessage
    readonly signed: SignedRequest
    readonly match: Match
    readonly principal: Principal
    readonly path: string
    readonly query: string
    readonly signal: AbortSignal
  },
): Promise<ServiceResponse> {
  const { request, signed, principal, path, signal } = call
  const { service, route, params } = call.match
  const body =
    route.body === 'stream'
      ? Buffer.alloc(0)
      : await readBody(request, route.body === 'none' ? 0 : (route.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES))
  if (signed.headers['x-content-sha256'] !== undefined && route.body !== 'stream')
    verifyBody(signed.headers, body)
  const demand = (access: Access): void => {
    if (access.permissions.length > 0 && !parts.policy.permits(principal, access))
      throw access.hiddenAs ?? notAuthorizedOrNotFound()
  }
  const emulatorRequest = {
    method: signed.method,
    path,
    query: new URLSearchParams(call.query),
    headers: signed.headers,
    params,
    body,
    stream: route.body === 'stream' ? request : emptyStream(),
    principal,
    demand,
    signal,
  }
  try {
    demand(route.access(emulatorRequest))
    return await route.handle(emulatorRequest)
  } finally {
    await service.flushed()
  }
}

async function withFault(
  fault: Fault | undefined,
  serveCall: () => Promise<ServiceResponse>,
  signal: AbortSignal,
): Promise<ServiceResponse> {
  if (fault === undefined) return await serveCall()
  if (fault.latencyMs !== undefined) await sleep(fault.latencyMs)
  if (fault.silent) {
    await aborted(signal)
    throw new Reset()
  }
  if (fault.reset === 'before') throw new Reset()
  if (fault.status !== undefined)
    throw new OciError(
      fault.status,
      fault.code ?? (fault.status === 429 ? 'TooManyRequests' : 'InternalServerError'),
      'injected fault',
    )
  const answer = await serveCall()
  if (fault.reset === 'after') {
    answer.stream?.destroy()
    throw new Reset()
  }
  return withBodyFault(answer, fault.body, signal)
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}
