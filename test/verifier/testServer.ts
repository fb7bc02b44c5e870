/** The Verifier's server in this process, on loopback, with everything that it tells. */
import { once } from 'node:events'
import type { OutgoingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { TestContext } from 'node:test'
import { systemClock } from '#adapters/system/clock.ts'
import type { WitnessAnswer } from '#core/evidence/witness/submission.ts'
import type { ReleaseResponse } from '#core/release/request.ts'
import { startServer, type VerifierRoutes, type VerifierServer } from '../../src/verifier/server.ts'
import type { ServerTls } from '../../src/verifier/serverTls.ts'
import { expectDescribed } from './described.ts'
import { createCa, type Identity } from './tls.ts'

export const ca = createCa('provider CA')
export const challenge = { nonce: 'A'.repeat(82), exp: 1, aud: 'https://verifier.hospital.example' }
export const response: ReleaseResponse = {
  verifierKeys: { payload: '', signatures: [{ protected: '', signature: '' }] },
  grantKey: 'a.b.c',
  freshness: 'a.b.c',
  earlierKeys: [],
  answers: [],
}
export const witnessed: WitnessAnswer = {
  cosigned: 'a note',
  status: 'current',
  grantKey: 'a.b.c',
  permits: [],
}
export type Client = Identity & { readonly ca: string }
export const clientOf = (name: string, seconds?: number): Client => ({
  ca: ca.pem,
  ...ca.issue(name, seconds),
})

/** The front door with certificates of the provider's CA. */
export const required: ServerTls = {
  clientCertificates: 'required',
  ...ca.issue('verifier'),
  clientCa: ca.pem,
  clientCrl: [ca.crl],
}

export type TestServer = {
  readonly server: VerifierServer
  readonly port: number
  /** `code address` of each refused request. */
  readonly refused: readonly string[]
  /** `route status` of each answered request. */
  readonly answered: readonly string[]
  /** `reason address` of each failed handshake, and the reason of each dropped connection. */
  readonly tlsRefused: readonly string[]
  readonly dropped: readonly string[]
  /** Resolves when `holds`. It is asked again after each of the events above. */
  readonly until: (holds: () => boolean) => Promise<void>
}

export async function serve(
  t: TestContext,
  options: {
    readonly release?: VerifierRoutes['release']
    readonly witness?: VerifierRoutes['witness']
    readonly checkNonce?: VerifierRoutes['checkNonce']
    readonly tls?: ServerTls
    readonly clock?: Parameters<typeof startServer>[0]['clock']
  } = {},
): Promise<TestServer> {
  const {
    release = async () => response,
    witness = async () => witnessed,
    checkNonce = () => {},
    clock = systemClock,
    tls = required,
  } = options
  const [refused, answered, tlsRefused, dropped]: string[][] = [[], [], [], []]
  const waiting = new Set<() => void>()
  const note = (list: string[] | undefined, text: string) => {
    list?.push(text)
    for (const look of waiting) look()
  }
  const server = await startServer(
    {
      listen: { host: '127.0.0.1', port: 0 },
      tls,
      clock,
    },
    {
      challenge: () => challenge,
      release,
      witness,
      checkNonce,
      refused: ({ code, address }) => note(refused, `${code} ${address}`),
      answered: (route, status) => note(answered, `${route} ${status}`),
      tlsRefused: (reason, address) => note(tlsRefused, `${reason} ${address}`),
      dropped: (reason) => note(dropped, reason),
    },
  )
  t.after(() => server.close(1000))
  return {
    server,
    port: Number(new URL(server.url).port),
    refused: refused ?? [],
    answered: answered ?? [],
    tlsRefused: tlsRefused ?? [],
    dropped: dropped ?? [],
    until: async (holds) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      const look = () => {
        if (holds()) resolve()
      }
      waiting.add(look)
      look()
      await promise
      waiting.delete(look)
    },
  }
}

/**
 * Sends the head, and the body if there is one. Every answer is compared with the OpenAPI document. `headers` say of what length or in which encoding it is, if
 * they are not to say two bytes. `status` is the answer's.
 */
export function send(
  url: string,
  options: {
    client: Partial<Identity> & { readonly ca: string }
    body?: string
    headers?: OutgoingHttpHeaders
    method?: string
    path?: string
    tls?: object
  },
) {
  const { client, body, method = 'POST', path = '/v1/releases', tls } = options
  const framing = options.headers ?? { 'content-length': body?.length ?? (method === 'GET' ? 0 : 2) }
  const headers = { 'content-type': 'application/json', ...framing }
  const sent = httpsRequest(`${url}${path}`, { method, headers, ...client, ...tls })
  sent.on('error', () => {})
  if (body === undefined && method !== 'GET') sent.flushHeaders()
  else sent.end(body)
  const answer = once(sent, 'response').then(async ([given]) => {
    let text = ''
    for await (const chunk of given) text += chunk
    if (method !== 'HEAD')
      expectDescribed(path, { status: given.statusCode, type: given.headers['content-type'], text })
    return { status: given.statusCode, headers: given.headers, text }
  })
  const status = answer.then(({ status: given }) => given)
  // A caller may look at one of them only.
  status.catch(() => {})
  return { sent, status, answer }
}
