/**
 * An honest gateway in the provider's network: it ends TLS, looks at client certificates, holds a request until
 * it is whole and passes it on without a certificate. It tells of its clients in headers, as gateways do.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { Agent, createServer, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'

/** What it says of every client. Nothing may come of it. */
export const CLAIMED_ADDRESS = '203.0.113.9'

export type Gateway = {
  readonly url: string
  /** The TLS version of each connection to the Verifier that carried a request. */
  readonly versions: ReadonlySet<string>
  readonly close: () => void
}

/** All name files of PEM. `ca` and `crl` are those of its clients, `verifierCa` of the Verifier at `url`. */
export async function startGateway(
  url: string,
  files: {
    readonly cert: string
    readonly key: string
    readonly ca: string
    readonly crl: string
    readonly verifierCa: string
  },
): Promise<Gateway> {
  const [cert, key, ca, crl, verifierCa] = await Promise.all(
    [files.cert, files.key, files.ca, files.crl, files.verifierCa].map((file) => readFile(file, 'utf8')),
  )
  const versions = new Set<string>()
  const agent = new Agent({ keepAlive: true, ca: verifierCa, maxVersion: 'TLSv1.2' })
  const forward = async (incoming: IncomingMessage) => {
    const { host: _, ...headers } = incoming.headers
    const claims = { 'x-forwarded-for': CLAIMED_ADDRESS, 'x-ssl-client-verify': 'SUCCESS' }
    const sent = httpsRequest(new URL(incoming.url ?? '', url), {
      method: incoming.method,
      headers: { ...headers, ...claims },
      agent,
    })
    sent.once('socket', (socket: TLSSocket) =>
      sent.once('response', () => versions.add(socket.getProtocol() ?? '')),
    )
    sent.end(await buffer(incoming))
    const [answer]: IncomingMessage[] = await once(sent, 'response')
    if (answer === undefined) throw new Error('the Verifier gives no answer')
    return { status: answer.statusCode ?? 502, headers: answer.headers, body: await buffer(answer) }
  }
  const server = createServer(
    { cert, key, ca, crl, requestCert: true, rejectUnauthorized: true },
    (incoming, outgoing) => {
      forward(incoming).then(
        ({ status, headers, body }) => outgoing.writeHead(status, headers).end(body),
        () => outgoing.writeHead(502).end(),
      )
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A TCP listener's address is never a string.
  const { port } = server.address() as AddressInfo
  return {
    url: `https://127.0.0.1:${port}`,
    versions,
    close: () => {
      server.close()
      server.closeAllConnections()
      agent.destroy()
    },
  }
}
