/**
 * A TCP balancer on loopback, in front of several Verifiers: each connection goes to the next one that
 * accepts it. Tests can disturb the connections. TLS passes through it unread.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

const ACCEPT_MILLISECONDS = 1000

export type Balancer = {
  readonly port: number
  /** Breaks every connection. */
  readonly cut: () => void
  /** Carries nothing for this time; what was sent meanwhile arrives later. */
  readonly stall: (milliseconds: number) => Promise<void>
  /** The servers lose every connection, and the clients are not told: their requests get no answer. */
  readonly halfOpen: () => void
  readonly close: () => Promise<void>
}

type Connection = { readonly client: Socket; server: Socket | undefined }

export async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  // Invariant: holds every connection whose client has not closed.
  const connections = new Set<Connection>()
  let stalled = false
  let turn = 0

  const join = ({ client, server }: Connection): void => {
    if (server === undefined || stalled) return
    client.pipe(server)
    server.pipe(client)
  }
  const part = ({ client, server }: Connection): void => {
    if (server === undefined) return
    client.unpipe(server)
    server.unpipe(client)
  }
  const carry = async (connection: Connection): Promise<void> => {
    const { client } = connection
    for (let tries = 0; tries < ports.length && !client.destroyed; tries++) {
      const server = await accepted(ports[turn++ % ports.length] ?? 0)
      if (server === undefined) continue
      if (client.destroyed) server.destroy()
      server.on('error', () => server.destroy())
      server.on('close', () => {
        // Half-open: the client keeps its side.
        if (connection.server === server) client.destroy()
      })
      connection.server = server
      join(connection)
      return
    }
    client.destroy()
  }

  const listener = createServer((client) => {
    const connection: Connection = { client, server: undefined }
    connections.add(connection)
    client.on('error', () => client.destroy())
    client.on('close', () => {
      connections.delete(connection)
      connection.server?.destroy()
    })
    void carry(connection)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()

  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    cut: () => {
      for (const { client } of connections) client.destroy()
    },
    stall: async (milliseconds) => {
      stalled = true
      for (const connection of connections) part(connection)
      await new Promise((resolve) => setTimeout(resolve, milliseconds).unref())
      stalled = false
      for (const connection of connections) join(connection)
    },
    halfOpen: () => {
      for (const connection of connections) {
        const { client, server } = connection
        if (server === undefined) continue
        part(connection)
        connection.server = undefined
        server.destroy()
        client.resume()
      }
    },
    close: async () => {
      listener.close()
      for (const { client } of connections) client.destroy()
    },
  }
}

/** The connection; undefined if the server refuses it or does not accept it in time. */
async function accepted(port: number): Promise<Socket | undefined> {
  const socket = connect({ host: '127.0.0.1', port })
  socket.setNoDelay(true)
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(ACCEPT_MILLISECONDS) })
    return socket
  } catch {
    socket.destroy()
    return undefined
  }
}
