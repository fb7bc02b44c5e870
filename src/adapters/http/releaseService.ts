/** The Verifier at one address, over HTTPS: TLS 1.3, its CA pinned, our own certificate shown, answers read up to a limit. */
import { X509Certificate } from 'node:crypto'
import type { ClientRequest } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { systemClock } from '#adapters/system/clock.ts'
import type { ClockSkew } from '#adapters/system/clockSkew.ts'
import type { TlsSet } from '#adapters/system/tlsFiles.ts'
import { fromBase64url, utf8 } from '#core/bytes.ts'
import { checkShape, parseJson } from '#core/canonical.ts'
import { CodedError, errorRow, under } from '#core/errors.ts'
import { WitnessAnswer } from '#core/evidence/witness/submission.ts'
import { knownCode, subjectOf } from '#core/release/about.ts'
import { Challenge, nonceTime } from '#core/release/nonce.ts'
import { parseProblem } from '#core/release/refusal.ts'
import { RefusedResponse, ReleaseResponse } from '#core/release/request.ts'
import type { Clock } from '#ports/clock.ts'
import type { ReleaseService } from '#ports/releaseService.ts'
import { answerTo, readBody } from './answer.ts'
import { IDLE_SOCKET_MS } from './idleSockets.ts'
import { createPause, type Pause } from './retryAfter.ts'

const MAX_CHALLENGE_BYTES = 4096
/** 256 answers, each with a grant of 48 KiB in base64url and its keys. */
const MAX_RESPONSE_BYTES = 20 * 1024 * 1024
/** A note, and 64 permits of 1.5 KiB. */
const MAX_WITNESS_BYTES = 256 * 1024
/** The limit of a refusal, whatever was asked: most of it is the verifier keys, with their signatures. */
const MAX_PROBLEM_BYTES = 16_384
const IDLE_SOCKETS = 4
/** The Verifier answers a challenge from memory. */
const CHALLENGE_MS = 10_000

export type VerifierConnection = {
  /** An https origin: the audience of nonces and assertions. */
  readonly url: string
  /**
   * Asked for each exchange: the only CAs that may issue the Verifier's certificate, and a client
   * certificate, which lets the Verifier limit who connects and replaces no part of the attestation.
   */
  readonly tls: () => TlsSet
  /** For one release, from the first byte sent to the last received; a challenge has less. */
  readonly timeoutMs: number
  /** Learns the Verifier's time from its nonces. */
  readonly skew?: ClockSkew
  /** For the pauses that the Verifier asks for. */
  readonly clock?: Pick<Clock, 'monotonic' | 'sleep'>
}

export type Connection = ReleaseService & {
  /** How much longer the Verifier asks for a pause, in milliseconds. */
  readonly pauseMs: () => number
  readonly close: () => void
}

/** `verifier.unavailable`, and the Verifier has received no byte of the request. */
export class NothingSent extends CodedError {}

/** Keeps a few sockets open until `close`. */
export function createReleaseService(connection: VerifierConnection): Connection {
  const { url, tls, timeoutMs, skew, clock = systemClock } = connection
  const pause = createPause(clock)
  const agent = new Agent({
    minVersion: 'TLSv1.3',
    rejectUnauthorized: true,
    keepAlive: true,
    maxFreeSockets: IDLE_SOCKETS,
    timeout: IDLE_SOCKET_MS,
  })
  const post = (path: string, call: Pick<Call, 'headers' | 'body' | 'maxBytes' | 'timeoutMs' | 'signal'>) =>
    exchange({ url: new URL(path, url), agent, tls: tls(), pause, ...call })
  const challenge: ReleaseService['challenge'] = async (signal) => {
    await pause.over(signal)
    const told = skew?.asking('verifier')
    const { status, value } = await post('/v1/challenges', {
      body: new Uint8Array(),
      maxBytes: MAX_CHALLENGE_BYTES,
      timeoutMs: Math.min(timeoutMs, CHALLENGE_MS),
      signal,
    })
    if (status !== 200) throw unsigned(status, value)
    const challenge = checkShape(Challenge, value, 'challenge', 'verifier.untrusted')
    const minted = under('verifier.untrusted', () => nonceTime(fromBase64url(challenge.nonce)))
    told?.(minted)
    return challenge
  }
  return {
    challenge,
    release: async (request, nonce, signal) => {
      await pause.over(signal)
      const body = utf8(JSON.stringify(request))
      const { status, value } = await post('/v1/releases', {
        headers: { nonce },
        body,
        maxBytes: MAX_RESPONSE_BYTES,
        timeoutMs,
        signal,
      })
      if (status === 200) return checkShape(ReleaseResponse, value, 'answer', 'verifier.untrusted')
      const refused = signedOf(value)
      if (refused === undefined) throw unsigned(status, value)
      return refused
    },
    witness: async (boot, submission, signal) => {
      // Behind a gateway no body is read without one.
      const { nonce } = await challenge(signal)
      const { status, value } = await post(`/v1/logs/${boot}/checkpoints`, {
        headers: { nonce },
        body: utf8(JSON.stringify(submission)),
        maxBytes: MAX_WITNESS_BYTES,
        timeoutMs,
        signal,
      })
      if (status !== 200) throw unsigned(status, value)
      return checkShape(WitnessAnswer, value, 'answer', 'verifier.untrusted')
    },
    pauseMs: pause.left,
    close: () => agent.destroy(),
  }
}

/** Problem details may have any other members (RFC 9457 §3.2). */
const Signed = RefusedResponse.strip()

type Call = {
  readonly url: URL
  readonly agent: Agent
  /** Sockets of another set are not used again; the Verifier closes them. */
  readonly tls: TlsSet
  readonly pause: Pause
  readonly timeoutMs: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly maxBytes: number
  readonly signal: AbortSignal | undefined
}

/** `value` is undefined if the body of a refusal is no JSON or too long. */
type Answer = { readonly status: number; readonly value: unknown }

async function exchange(call: Call): Promise<Answer> {
  const { url, agent, tls, body, maxBytes } = call
  const timeout = AbortSignal.timeout(call.timeoutMs)
  const signal = call.signal === undefined ? timeout : AbortSignal.any([call.signal, timeout])
  const headers = {
    ...call.headers,
    'content-type': 'application/json',
    'content-length': body.byteLength,
  }
  let status: number
  let answer: Buffer | undefined
  let isSent = () => false
  try {
    const request = httpsRequest(url, { method: 'POST', agent, ...tls, crl: [...tls.crl], signal, headers })
    isSent = watchSending(request)
    const response = await answerTo(request, body)
    status = response.statusCode ?? 0
    if (status !== 200) call.pause.ask(response.headers['retry-after'])
    answer = await readBody(response, status === 200 ? maxBytes : MAX_PROBLEM_BYTES)
  } catch (cause) {
    call.signal?.throwIfAborted()
    if (timeout.aborted) closeIdle(agent)
    const fault = connectionFault(cause, tls)
    const Unavailable = isSent() ? CodedError : NothingSent
    throw new Unavailable(
      'verifier.unavailable',
      `${url.host}${url.pathname}: the Verifier cannot be reached${fault}`,
      { cause },
    )
  }
  if (status !== 200) return { status, value: answer === undefined ? undefined : jsonOf(answer) }
  if (answer === undefined)
    throw new CodedError('verifier.untrusted', `${url.pathname}: the answer has more than ${maxBytes} bytes`)
  const bytes = answer
  return { status, value: under('verifier.untrusted', () => parseJson(bytes, 'answer')) }
}

/**
 * True once a byte of the request may be on its way: from the end of the handshake in which the server proved
 * its name, at once on a connection that is open.
 */
function watchSending(request: ClientRequest): () => boolean {
  let sent = false
  request.once('socket', (socket) => {
    if (!socket.connecting) sent = true
    else
      socket.once('secureConnect', () => {
        sent = true
      })
  })
  return () => sent
}

/** A device between us that has lost one connection has lost the idle ones too, and tells of none. */
function closeIdle({ freeSockets }: Agent): void {
  for (const socket of Object.values(freeSockets).flat()) socket?.destroy()
}

const ISSUER = 'its certificate is not issued by a CA of verifier.ca'
/** Node's codes for a certificate that does not do. */
const CERTIFICATE_FAULTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate or the CA that issued it has expired',
  CERT_NOT_YET_VALID: 'its certificate or the CA that issued it is not valid yet',
  CERT_REVOKED: 'its certificate is revoked by the list in verifier.crl',
  CRL_HAS_EXPIRED: 'the revocation list in verifier.crl has ended',
  CRL_NOT_YET_VALID: 'the revocation list in verifier.crl is not valid yet',
  UNABLE_TO_GET_CRL: 'verifier.crl has no revocation list of the CA that issued its certificate',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name than that of verifier.urls',
  DEPTH_ZERO_SELF_SIGNED_CERT: ISSUER,
  SELF_SIGNED_CERT_IN_CHAIN: ISSUER,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ISSUER,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ISSUER,
}

/**
 * A clause that names the reason. A Verifier that refuses our certificate may only cut the connection, so an
 * expired one is named after every other failure.
 */
function connectionFault(cause: unknown, { cert }: TlsSet): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const fault = CERTIFICATE_FAULTS[code]
  if (fault !== undefined) return `: ${fault}`
  const expired = new X509Certificate(cert).validToDate.getTime() <= Date.now()
  return `${code === '' ? '' : ` (${code})`}${expired ? "; this worker's own certificate has expired" : ''}`
}

function jsonOf(body: Buffer): unknown {
  try {
    return parseJson(body)
  } catch {
    return undefined
  }
}

/** The signed members of a problem. Nothing else of it is looked at then. */
function signedOf(value: unknown): RefusedResponse | undefined {
  if (typeof value !== 'object' || value === null || !('refusal' in value)) return undefined
  return checkShape(Signed, value, 'refusal', 'verifier.untrusted')
}

/**
 * What is not signed may come from a device in between: it is a reason to wait, and its code is kept only if
 * it says the same.
 */
function unsigned(status: number, value: unknown): CodedError {
  try {
    const { code, denialId } = parseProblem(value, 'verifier.unavailable')
    const message = `the Verifier's address refuses with ${code}, denial ${denialId}, not signed`
    const known = knownCode(code)
    if (known === code && subjectOf(known) === 'time' && errorRow(known).disposition === 'retry')
      return new CodedError(known, message)
    // A fault inside the Verifier must not stop the worker that hears of it.
    return new CodedError(status >= 500 ? 'verifier.unavailable' : 'refusal.unsigned', message)
  } catch (cause) {
    return new CodedError('verifier.unavailable', `the Verifier's address answers with status ${status}`, {
      cause,
    })
  }
}
