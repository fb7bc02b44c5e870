/**
 * The listener for Prometheus and for probes: `/metrics`, `/healthz` (the program considers itself alive) and
 * `/readyz` (it takes work). It speaks plain HTTP: bind it to loopback, or only to the scraper's network.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { CodedError } from '#core/errors.ts'

export type Health = { readonly alive: () => boolean; readonly ready: () => boolean }

type Page = { readonly status: number; readonly body: string; readonly contentType?: string }

const PROBES: Readonly<Record<string, keyof Health>> = { '/healthz': 'alive', '/readyz': 'ready' }

export type Monitor = {
  /** Its address, with the port that the system chose if the configuration says 0. */
  readonly url: string
  readonly close: () => Promise<void>
}

/** A registry of our own, so that no other library's metrics are published. */
export function createRegistry(): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return registry
}

/** Throws `config.invalid` if it cannot listen on the address. */
export async function startMonitor(
  listen: { readonly host: string; readonly port: number },
  registry: Registry,
  health: Health,
): Promise<Monitor> {
  const server = createServer((request, response) => {
    answer(request.method ?? '', request.url ?? '').then(
      ({ status, body, contentType = 'text/plain' }) =>
        response.writeHead(status, { 'content-type': contentType }).end(body),
      () => response.writeHead(500).end(),
    )
  })
  const answer = async (method: string, url: string): Promise<Page> => {
    if (method !== 'GET') return { status: 405, body: 'GET only\n' }
    if (url === '/metrics')
      return { status: 200, body: await registry.metrics(), contentType: registry.contentType }
    const probe = PROBES[url]
    if (probe === undefined) return { status: 404, body: 'not found\n' }
    return health[probe]() ? { status: 200, body: `${probe}\n` } : { status: 503, body: `not ${probe}\n` }
  }
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
