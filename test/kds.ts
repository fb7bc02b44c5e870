/** Starts the laboratory's key distribution service of AMD, and gives its requests and its faults. */
import type { AddressInfo } from 'node:net'
import type { AmdAuthority } from '#lab/amd/authority.ts'
import { createKds } from '#lab/amd/kds.ts'
import { createFaults, type Faults } from '#lab/emulator/faults.ts'

export type TestKds = {
  readonly url: string
  /** Every request in order: `200 /vcek/…`. */
  readonly requests: readonly string[]
  readonly faults: Faults
  readonly close: () => Promise<void>
}

/** `now` is in milliseconds. Without `vcekSeconds` requests are not throttled. */
export async function startKds(
  authorities: readonly AmdAuthority[],
  options: {
    readonly chips?: readonly string[]
    readonly vcekSeconds?: number
    readonly now?: () => number
  } = {},
): Promise<TestKds> {
  const requests: string[] = []
  const faults = createFaults()
  const { chips = [], vcekSeconds = 0, now = Date.now } = options
  const server = createKds({
    authorities,
    chips,
    vcekSeconds,
    now,
    faults,
    answered: (url, status) => requests.push(`${status} ${url}`),
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A TCP listener's address is never a string.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    faults,
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
