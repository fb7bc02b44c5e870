/** Object Storage that hides objects from listings: it forwards everything else as it comes. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import type { Teardown } from '../lab/emulator/testEmulator.ts'

export type HidingStorage = {
  readonly url: string
  readonly hide: (name: string) => void
  readonly showAll: () => void
}

export async function hidingStorage(t: Teardown, endpoint: string): Promise<HidingStorage> {
  const hidden = new Set<string>()
  const forward = async (incoming: IncomingMessage) => {
    const sent = request(new URL(incoming.url ?? '', endpoint), {
      method: incoming.method,
      headers: incoming.headers,
    }).end(await buffer(incoming))
    const [answer]: IncomingMessage[] = await once(sent, 'response')
    if (answer === undefined) throw new Error('no answer')
    return { answer, body: await buffer(answer) }
  }
  const server = createServer((incoming, outgoing) => {
    forward(incoming).then(
      ({ answer, body }) => {
        const isListing = incoming.method === 'GET' && /\/o\/?(\?|$)/.test(incoming.url ?? '')
        const shown = isListing && answer.statusCode === 200 ? withoutHidden(body, hidden) : body
        const headers = { ...answer.headers }
        delete headers['transfer-encoding']
        if (shown !== body) {
          delete headers['content-md5']
          headers['content-length'] = String(shown.byteLength)
        }
        outgoing.writeHead(answer.statusCode ?? 502, headers).end(shown)
      },
      () => outgoing.destroy(),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  // A TCP listener's address is never a string.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    hide: (name) => hidden.add(name),
    showAll: () => hidden.clear(),
  }
}

function withoutHidden(body: Buffer, hidden: ReadonlySet<string>): Buffer {
  const listing = JSON.parse(body.toString()) as { objects: readonly { readonly name: string }[] }
  return Buffer.from(
    JSON.stringify({ ...listing, objects: listing.objects.filter(({ name }) => !hidden.has(name)) }),
  )
}
