/**
 * A device between a worker and the Verifier: it ends TLS on both sides with genuine certificates, so it reads
 * and changes every answer. It has no grant key.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { createServer, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

export type Message = { readonly status: number; readonly body: string }
/** Gets the Verifier's answer to a release, and gives what the worker gets. */
export type Change = (answer: Message) => Message

export type Middleman = {
  readonly url: string
  readonly setChange: (change: Change) => void
  readonly close: () => void
}

type TlsOf = { readonly ca: string; readonly cert: string; readonly key: string }

/** `server` is shown to the worker, `client` to the Verifier at `url`. Both name files. */
export async function startMiddleman(url: string, server: TlsOf, client: TlsOf): Promise<Middleman> {
  let change: Change = (answer) => answer
  const forward = async (incoming: IncomingMessage): Promise<Message> => {
    const sent = httpsRequest(new URL(incoming.url ?? '', url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      ...(await read(client)),
    }).end(await buffer(incoming))
    const [answer]: IncomingMessage[] = await once(sent, 'response')
    const body = answer === undefined ? '' : (await buffer(answer)).toString()
    return { status: answer?.statusCode ?? 502, body }
  }
  const listener = createServer({ ...(await read(server)), requestCert: true }, (incoming, outgoing) => {
    forward(incoming).then(
      (answer) => {
        const { status, body } = incoming.url === '/v1/releases' ? change(answer) : answer
        outgoing.writeHead(status).end(body)
      },
      () => outgoing.writeHead(502).end(),
    )
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  // A TCP listener's address is never a string.
  const { port } = listener.address() as AddressInfo
  return {
    url: `https://127.0.0.1:${port}`,
    setChange: (next) => {
      change = next
    },
    close: () => {
      listener.close()
      listener.closeAllConnections()
    },
  }
}

async function read({ ca, cert, key }: TlsOf) {
  const [caPem, certPem, keyPem] = await Promise.all([ca, cert, key].map((file) => readFile(file, 'utf8')))
  return { ca: caPem, cert: certPem, key: keyPem }
}
