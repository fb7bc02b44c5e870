/** A service that takes connections and never answers. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import type { TestContext } from 'node:test'

export type SilentService = {
  /** `127.0.0.1:<port>`. */
  readonly address: string
  /** Resolves with the first connection. */
  readonly called: Promise<void>
}

export async function silentService(t: TestContext): Promise<SilentService> {
  const called = Promise.withResolvers<void>()
  const server = createServer((socket) => {
    t.after(() => socket.destroy())
    called.resolve()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  // A TCP listener's address is never a string.
  const { port } = server.address() as AddressInfo
  return { address: `127.0.0.1:${port}`, called: called.promise }
}
