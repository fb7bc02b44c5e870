/** OCI on loopback: all services on one port, the metadata service of each instance on a port of its own. */

import { mkdir } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { replaceFile } from '#adapters/system/files.ts'
import { createAmdHost } from '#lab/amd/host.ts'
import { readOrCreate } from '#lab/readOrCreate.ts'
import type { EmulatorConfig } from './config.ts'
import { createCalls } from './control.ts'
import { createFaults } from './faults.ts'
import {
  createFunctionsService,
  provideResourcePrincipals,
  type ResourcePrincipal,
} from './functions/service.ts'
import { createFederation } from './identity/federation.ts'
import { createMetadataService } from './identity/imds.ts'
import { openInstanceCa } from './identity/instanceCa.ts'
import { createPrincipals } from './identity/principals.ts'
import { openSessions } from './identity/sessions.ts'
import { createObjectStorageService } from './objectStorage/service.ts'
import { createPolicy } from './policy/policy.ts'
import { createRequestHandler } from './requestHandler.ts'
import { createSecretsService } from './secrets.ts'
import type { Service, ServiceContext } from './service.ts'
import { createStreamingService } from './streaming/service.ts'
import { createVaultService } from './vault/service.ts'

export type Emulator = {
  /** Base URL of all services: `http://127.0.0.1:<port>`. */
  readonly endpoint: string
  /** `metadataBaseUrl` of each instance, by its OCID. */
  readonly imds: Readonly<Record<string, string>>
  /** The resource principal files of each function, by its OCID. */
  readonly functions: Readonly<Record<string, ResourcePrincipal>>
  /** Base URL of AMD's key distribution service for the guests' chips. */
  readonly kds: string
  /** Holds one folder per product of the guests, with its simulated roots. */
  readonly amdFolder: string
  readonly close: () => Promise<void>
}

export type EmulatorOptions = {
  readonly config: EmulatorConfig
  /** Holds all state; created if absent. A restart over it continues after the last answered request. */
  readonly folder: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly onFault: (error: unknown) => void
}

/** AMD's service gives one VCEK per this many seconds. */
const VCEK_SECONDS = 10
const Ports = z.record(z.string(), z.int())

/** Throws `config.invalid` if it does not understand a policy or a matching rule. */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { config, onFault } = options
  let offsetMs = 0
  const now = () => options.now() + offsetMs
  const folder = resolve(options.folder)
  await mkdir(folder, { recursive: true })
  const policy = createPolicy(config)
  const principals = createPrincipals(config)
  const [ca, sessions] = await Promise.all([
    openInstanceCa(join(folder, 'identity'), now()),
    openSessions(join(folder, 'identity'), principals, config.sessionSeconds),
  ])
  const faults = createFaults()
  const calls = createCalls()

  const contextOf = async (name: string): Promise<ServiceContext> => {
    await mkdir(join(folder, name), { recursive: true })
    return { config, folder: join(folder, name), now, faults }
  }
  const objectStorage = await createObjectStorageService(await contextOf('objectstorage'))
  const services: readonly Service[] = [
    objectStorage,
    createFunctionsService(config, now),
    ...(await Promise.all([
      contextOf('secrets').then(createSecretsService),
      contextOf('streaming').then(createStreamingService),
      contextOf('vault').then(createVaultService),
    ])),
  ]
  const amdFolder = join(folder, 'amd')
  const amdHost = await createAmdHost({ stateDir: amdFolder, guests: config.guests, faults })
  const resourcePrincipals = await provideResourcePrincipals({
    config,
    folder: join(folder, 'functions'),
    principals,
    sessions,
    now,
    onFault,
  })

  const server = createServer(
    createRequestHandler({
      services,
      principals,
      sessions,
      federation: createFederation({ ca, principals, sessions }),
      policy,
      faults,
      calls,
      setClock: (offsetSeconds) => {
        offsetMs = offsetSeconds * 1000
      },
      rotate: async (id) => {
        const versions = services.map((service) => service.rotate?.(id))
        await Promise.all(services.map((service) => service.flushed()))
        return versions.find((version) => version !== undefined)
      },
      inspect: () => ({ undeliveredEvents: objectStorage.undelivered() }),
      now,
      onFault,
    }),
  )
  // Large bodies take time. Idle connections outlive the clients' pools, so that no client reuses a closed
  // one.
  server.requestTimeout = 0
  server.keepAliveTimeout = 65_000

  const listeners: Listener[] = [{ name: 'services', server, port: config.port }]
  for (const { id, name, imdsPort } of config.instances) {
    const instance = principals.instance(id)
    if (instance === undefined) continue
    const server = createMetadataService({ instance, name, region: config.region, ca, now })
    listeners.push({ name: id, server, port: imdsPort })
  }
  const kds = amdHost.kds({ vcekSeconds: VCEK_SECONDS, now, faults })
  listeners.push({ name: 'kds', server: kds, port: 0 })
  await amdHost.start()
  const origins = await listenAll(join(folder, 'ports.json'), listeners)
  return {
    endpoint: origins['services'] ?? '',
    imds: Object.fromEntries(config.instances.map(({ id }) => [id, `${origins[id]}/opc/v2`])),
    functions: resourcePrincipals.paths,
    kds: origins['kds'] ?? '',
    amdFolder,
    close: async () => {
      resourcePrincipals.close()
      await Promise.all([amdHost.stop(), ...listeners.map(({ server }) => closeServer(server))])
      await Promise.all(services.map((service) => service.close()))
    },
  }
}

type Listener = { readonly name: string; readonly server: Server; readonly port: number }

/** Port 0 means the port of the last run if it is free, and any free port otherwise. */
async function listenAll(file: string, listeners: readonly Listener[]): Promise<Record<string, string>> {
  const last = Ports.parse(JSON.parse((await readOrCreate(file, async () => '{}')).toString()))
  const ports: Record<string, number> = {}
  for (const { name, server, port } of listeners) {
    const wanted = port === 0 ? (last[name] ?? 0) : port
    ports[name] = await listen(server, wanted).catch((error: NodeJS.ErrnoException) => {
      if (port !== 0 || wanted === 0 || error.code !== 'EADDRINUSE') throw error
      return listen(server, 0)
    })
  }
  await replaceFile(file, JSON.stringify(ports))
  return Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, `http://127.0.0.1:${port}`]))
}

function listen(server: Server, port: number): Promise<number> {
  const { promise, resolve: done, reject } = Promise.withResolvers<number>()
  server.once('error', reject)
  server.listen(port, '127.0.0.1', () => {
    server.off('error', reject)
    // A TCP listener's address is never a string.
    done((server.address() as AddressInfo).port)
  })
  return promise
}

/** Gives calls in flight one second to end. */
function closeServer(server: Server): Promise<void> {
  const { promise, resolve: done } = Promise.withResolvers<void>()
  const cut = setTimeout(() => server.closeAllConnections(), 1000)
  server.close(() => {
    clearTimeout(cut)
    done()
  })
  server.closeIdleConnections()
  return promise
}
