/** A host with simulated AMD processors: guests behind unix sockets, reports with real signatures. */
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, rm } from 'node:fs/promises'
import type { Server as HttpServer } from 'node:http'
import type { Server } from 'node:net'
import { dirname } from 'node:path'
import { toHex } from '#core/bytes.ts'
import { checkShape } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import type { RootEntry } from '#core/snp/roots.ts'
import type { Faults } from '#lab/emulator/faults.ts'
import { openAuthority, publishCrl } from './authority.ts'
import { GuestName, openGuest, writeDescription } from './guest.ts'
import { createGuestServer } from './guestSocket.ts'
import { createKds, type KdsParts } from './kds.ts'
import { type PlatformInput, PlatformSchema } from './platform.ts'

export type GuestConfig = {
  /** a-z, 0-9 and -. */
  readonly name: string
  /** Absent if only the hook of a fake device serves the guest. */
  readonly socketPath?: string
  readonly platform: PlatformInput
}

export type AmdHost = {
  /** The roots of the guests' reports with ASK and ASVK, marked as simulated. */
  readonly roots: readonly (RootEntry & {
    readonly ark: Buffer
    readonly ask: Buffer
    readonly asvk: Buffer
  })[]
  /** The key distribution service for the guests' chips; not yet listening. */
  readonly kds: (options: Pick<KdsParts, 'vcekSeconds' | 'now' | 'faults'>) => HttpServer
  /** Listens on every socket. Replaces a socket file that a dead host left behind. */
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
}

/**
 * Creates the keys on first use, which takes seconds, and keeps them in `stateDir/<Product>`. That folder
 * also serves as a `--roots` folder, with the current revocation list. Each call boots every guest anew, with
 * a new report id. Throws `config.invalid`.
 */
export async function createAmdHost(options: {
  readonly stateDir: string
  readonly guests: readonly GuestConfig[]
  /** The armed faults; the sockets take those of `device`. Without it there are none. */
  readonly faults?: Pick<Faults, 'take'>
}): Promise<AmdHost> {
  const { stateDir, guests, faults } = options
  assertGuests(guests)
  await mkdir(stateDir, { recursive: true, mode: 0o700 })
  const products = new Set(guests.map(({ platform }) => platform.product ?? 'Genoa'))
  const authorities = await Promise.all([...products].map((product) => openAuthority(stateDir, product)))
  const at = Math.floor(Date.now() / 1000)
  await Promise.all(authorities.map((authority) => publishCrl(stateDir, authority, at)))
  const listeners = await Promise.all(
    guests.map(async ({ name, socketPath, platform }) => {
      await writeDescription(stateDir, name, { reportId: toHex(randomBytes(32)), platform })
      return { socketPath, server: createGuestServer(await openGuest(stateDir, name), { name, faults }) }
    }),
  )
  return {
    roots: authorities.map(({ product, arkDer, askDer, asvkDer }) => ({
      product,
      ark: arkDer,
      ask: askDer,
      asvk: asvkDer,
      simulated: true,
    })),
    kds: (options) => {
      const chips = guests.map(({ platform }) => platform.hardwareId).filter((chip) => chip !== undefined)
      return createKds({ ...options, authorities, chips })
    },
    start: async () => {
      for (const { server, socketPath } of listeners)
        if (socketPath !== undefined) await listen(server, socketPath)
    },
    stop: async () => {
      await Promise.all(listeners.map(({ server }) => close(server)))
    },
  }
}

function assertGuests(guests: readonly GuestConfig[]): void {
  const names = new Set<string>()
  for (const { name, platform } of guests) {
    checkShape(GuestName, name, 'guest name', 'config.invalid')
    checkShape(PlatformSchema, platform, `guest ${name}`, 'config.invalid')
    if (names.has(name)) throw new CodedError('config.invalid', `guest ${name} is configured twice`)
    names.add(name)
  }
}

async function listen(server: Server, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await rm(path, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  await chmod(path, 0o600)
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return
  await new Promise<void>((resolve) => server.close(() => resolve()))
}
