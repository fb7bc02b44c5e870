/** A service with scripted answers, one per call, and the ports that reach it. */
import { generateKeyPairSync } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { createHttp } from '#adapters/oci/http.ts'
import type { Identity } from '#adapters/oci/signature.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { createClockSkew } from '#adapters/system/clockSkew.ts'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

export type Reply = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void

export type Script = {
  readonly endpoint: string
  readonly http: ReturnType<typeof createHttp>
  /** Every request that came, in order. */
  readonly seen: { method: string; url: string; headers: IncomingMessage['headers']; body: Buffer }[]
  /** How often the principal was told that its token is rejected. */
  readonly renewals: () => number
}

/** Repeats the last reply for every further call. `identified` may throw, as a principal without a token. */
export async function serve(
  t: TestContext,
  replies: readonly Reply[],
  identified = () => {},
): Promise<Script> {
  const seen: Script['seen'] = []
  const server = createServer({ keepAliveTimeout: 600_000 }, async (request, response) => {
    // A request that is cut has arrived.
    const body = Buffer.concat(await Array.fromAsync(request).catch(() => []))
    const { method = '', url = '', headers } = request
    seen.push({ method, url, headers, body })
    const reply = replies[Math.min(seen.length, replies.length) - 1]
    reply?.(request, response, body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A TCP listener's address is never a string.
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  let renewals = 0
  const identity = async (): Promise<Identity> => {
    identified()
    return { keyId: `ST$${renewals}`, privateKey }
  }
  const renew = async (): Promise<void> => {
    renewals += 1
  }
  const http = createHttp({ identity, renew, close: () => {} }, createClockSkew(systemClock))
  t.after(() => {
    http.close()
    server.closeAllConnections()
    server.close()
  })
  return { endpoint, http, seen, renewals: () => renewals }
}

export const answer =
  (status: number, body: unknown = '', headers: Readonly<Record<string, string>> = {}): Reply =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }

export const refuse = (status: number, code: string, message = ''): Reply =>
  answer(status, { code, message }, { 'opc-request-id': 'A/B/C' })

export const cut: Reply = (request) => {
  request.socket.destroy()
}
