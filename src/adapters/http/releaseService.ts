/** The Verifier over HTTPS: TLS 1.3, its CA pinned, our own certificate shown; an answer is read up to a limit. */
import type { IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { utf8 } from '#core/bytes.ts'
import { checkShape, parseJson } from '#core/canonical.ts'
import { CodedError, type ErrorCode, under } from '#core/errors.ts'
import { Challenge } from '#core/release/challenge.ts'
import { parseRefusal, RequestRefused } from '#core/release/refusal.ts'
import { ReleaseResponse } from '#core/release/request.ts'
import type { ReleaseService } from '#ports/releaseService.ts'

const MAX_CHALLENGE_BYTES = 4096
/** 256 answers with a grant of 48 KiB each, in base64url, and their keys. */
const MAX_RESPONSE_BYTES = 20 * 1024 * 1024
/** A refusal, whatever was asked. */
const MAX_PROBLEM_BYTES = 8192
const IDLE_SOCKETS = 4

export type VerifierConnection = {
  /** An https origin: the audience of nonces and assertions. */
  readonly url: string
  /** PEM. The only CAs that the Verifier's certificate may come from. */
  readonly ca: string
  /** PEM, for the Verifier's own gate; it proves nothing that attestation must prove. */
  readonly cert: string
  readonly key: string
  /** For one exchange, from the first byte sent to the last received. */
  readonly timeoutMs: number
}

/** The agent keeps a few sockets open; `close` ends them. */
export function createReleaseService(connection: VerifierConnection): ReleaseService & { close: () => void } {
  const { ca, cert, key } = connection
  const agent = new Agent({
    ca,
    cert,
    key,
    minVersion: 'TLSv1.3',
    rejectUnauthorized: true,
    keepAlive: true,
    maxFreeSockets: IDLE_SOCKETS,
  })
  const post = (path: string, body: Uint8Array, limit: number, signal: AbortSignal | undefined) =>
    exchange(connection, agent, { path, body, limit, signal })
  return {
    challenge: async (signal) =>
      checkShape(
        Challenge,
        await post('/v1/challenges', new Uint8Array(), MAX_CHALLENGE_BYTES, signal),
        'challenge',
        'verifier.untrusted',
      ),
    release: async (request, signal) =>
      checkShape(
        ReleaseResponse,
        await post('/v1/releases', utf8(JSON.stringify(request)), MAX_RESPONSE_BYTES, signal),
        'answer',
        'verifier.untrusted',
      ),
    close: () => agent.destroy(),
  }
}

async function exchange(
  { url, timeoutMs }: VerifierConnection,
  agent: Agent,
  call: {
    readonly path: string
    readonly body: Uint8Array
    readonly limit: number
    readonly signal: AbortSignal | undefined
  },
): Promise<unknown> {
  const timeout = AbortSignal.timeout(timeoutMs)
  const signal = call.signal === undefined ? timeout : AbortSignal.any([call.signal, timeout])
  let status: number
  let answer: Buffer
  try {
    const response = await send(new URL(call.path, url), call.body, agent, signal)
    status = response.statusCode ?? 0
    answer = await (status === 200
      ? readBounded(response, call.limit, 'verifier.untrusted')
      : readBounded(response, MAX_PROBLEM_BYTES, 'verifier.unavailable'))
  } catch (cause) {
    if (cause instanceof CodedError) throw cause
    call.signal?.throwIfAborted()
    throw new CodedError('verifier.unavailable', `${call.path}: the Verifier cannot be reached`, { cause })
  }
  if (status === 200) return under('verifier.untrusted', () => parseJson(answer, 'answer'))
  throw refusalOf(status, answer)
}

/** What is no refusal of the Verifier's own comes from something before it: it is not to be had at the moment. */
function refusalOf(status: number, answer: Buffer): CodedError {
  try {
    const refusal = parseRefusal(parseJson(answer), 'verifier.unavailable')
    // A fault that is the Verifier's own must not stop the worker that hears of it.
    if (status >= 500 && !refusal.retryable)
      return new CodedError('verifier.unavailable', `the Verifier answers ${refusal.code}`)
    return new RequestRefused(refusal)
  } catch (cause) {
    return new CodedError('verifier.unavailable', `the Verifier's address answers with status ${status}`, {
      cause,
    })
  }
}

function send(url: URL, body: Uint8Array, agent: Agent, signal: AbortSignal): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const headers = { 'content-type': 'application/json', 'content-length': body.byteLength }
  httpsRequest(url, { method: 'POST', agent, signal, headers })
    .on('response', resolve)
    .on('error', reject)
    .end(body)
  return promise
}

/** Throws `code` for a longer one. */
async function readBounded(response: IncomingMessage, limit: number, code: ErrorCode): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response) {
    // Without an encoding set, a response yields buffers alone.
    const bytes: Buffer = chunk
    size += bytes.byteLength
    if (size > limit) {
      response.destroy()
      throw new CodedError(code, `the answer has more than ${limit} bytes`)
    }
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}
