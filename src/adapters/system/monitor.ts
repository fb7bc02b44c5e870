/**
 * The window for Prometheus and for probes, on a listener of its own: `/metrics`, `/healthz` (the process is alive and
 * says so itself) and `/readyz` (it takes work). Plain HTTP, so bind it to loopback or to the scraper's network alone.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { CodedError } from '#core/errors.ts'

export type Health = { readonly alive: () => boolean; readonly ready: () => boolean }

export type Monitor = {
  /** Where it listens; the port that the system chose where the configuration said 0. */
  readonly url: string
  readonly close: () => Promise<void>
}

/** A registry of our own: nothing that another library registers gets out. */
export function createRegistry(): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return registry
}

/** Throws `config.invalid` where the address cannot be listened on. */
export async function startMonitor(
  listen: { readonly host: string; readonly port: number },
  registry: Registry,
  health: Health,
): Promise<Monitor> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: string, contentType = 'text/plain') =>
      response.writeHead(status, { 'content-type': contentType }).end(body)
    if (request.method !== 'GET') return answer(405, 'GET only\n')
    if (request.url === '/healthz')
      return health.alive() ? answer(200, 'alive\n') : answer(503, 'not alive\n')
    if (request.url === '/readyz') return health.ready() ? answer(200, 'ready\n') : answer(503, 'not ready\n')
    if (request.url !== '/metrics') return answer(404, 'not found\n')
    registry.metrics().then(
      (text) => answer(200, text, registry.contentType),
      () => answer(500, 'metrics failed\n'),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new CodedError('config.invalid', `monitor: cannot listen on ${listen.host}:${listen.port}`, {
          cause,
        }),
      ),
    )
    server.listen(listen.port, listen.host, resolve)
  })
  // listen() with host and port gives an AddressInfo, never a path.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${listen.host.includes(':') ? `[${listen.host}]` : listen.host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
