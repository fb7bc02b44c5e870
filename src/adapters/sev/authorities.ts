/** The ASK or ASVK that issued a leaf: from the host, the operator's folder, the built-in copies, or AMD. */
import { errorFields, type Log } from '#adapters/system/log.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { isAuthorityOf, type WantedLeaf } from '#core/snp/leaf.ts'
import type { Clock } from '#ports/clock.ts'
import { createCoalescer } from './coalesce.ts'
import { readEndorsement } from './endorsementFolder.ts'
import type { Kds } from './kds.ts'

export type Leaf = { readonly der: Buffer; readonly wanted: WantedLeaf }

export type Authorities = {
  /** Returns the first leaf whose issuer is found, and that issuer. */
  readonly complete: (
    leaves: readonly Leaf[],
    brought: readonly Buffer[],
    signal: AbortSignal | undefined,
  ) => Promise<readonly [Buffer, Buffer] | undefined>
}

/**
 * AMD certifies a new issuer every few years, so an answer is valid for long, and so is the absence of one.
 */
const ASKED_AGAIN_MS = 600_000

export function createAuthorities({
  folder,
  kds,
  clock,
  log,
}: {
  readonly folder: string
  readonly kds: Kds | undefined
  readonly clock: Pick<Clock, 'monotonic'>
  readonly log: Log
}): Authorities {
  const fetched = new Map<string, { readonly der: Buffer | undefined; readonly until: number }>()
  const coalesce = createCoalescer<Buffer | undefined>()

  const near = async ({ product, kind }: WantedLeaf): Promise<readonly Uint8Array[]> => {
    const name = kind === 'vlek' ? 'asvk' : 'ask'
    const placed = await readEndorsement(folder, product, name, 'sev.unavailable')
    const published = AMD_ROOTS.find((root) => root.product === product)?.[name]
    return [placed, published].filter((der) => der !== undefined)
  }

  const fetch = async (
    { product, kind }: WantedLeaf,
    signal: AbortSignal | undefined,
  ): Promise<Buffer | undefined> => {
    if (kds === undefined) return undefined
    const key = `${kind} ${product}`
    const known = fetched.get(key)
    if (known !== undefined && clock.monotonic() < known.until) return known.der
    return await coalesce(
      key,
      async (gone) => {
        const der = await kds.chain(kind, product, gone).then(
          ({ intermediate }) => intermediate,
          (error: unknown) => {
            gone.throwIfAborted()
            log.warn('endorsement issuer not fetched', { product, ...errorFields(error) })
            return undefined
          },
        )
        fetched.set(key, { der, until: clock.monotonic() + ASKED_AGAIN_MS })
        return der
      },
      signal,
    )
  }

  return {
    complete: async (leaves, brought, signal) => {
      for (const { der: leaf, wanted } of leaves) {
        const isIssuer = (der: Uint8Array) => isAuthorityOf(der, leaf)
        const held = [...brought, ...(await near(wanted))].find(isIssuer)
        const authority =
          held ?? [await fetch(wanted, signal)].find((der) => der !== undefined && isIssuer(der))
        if (authority !== undefined) return [leaf, Buffer.from(authority)]
      }
      return undefined
    },
  }
}
