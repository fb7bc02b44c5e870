/**
 * The revocation lists in force, one per root. Only a newer list replaces one. They come from the folder,
 * which is read repeatedly, and from AMD's key distribution service if it is configured. They never come from
 * a request, and no request waits for them.
 *
 * Stale rule: a list is held until a newer one comes, however old it is, and its revocations count. The
 * reference values (`crl`) say whether a report may be accepted under an old list or without one. If they
 * require a list, they refuse without one, and after `nextUpdate` and the grace.
 */
import { endorsementPath } from '#adapters/sev/endorsementFolder.ts'
import type { Kds } from '#adapters/sev/kds.ts'
import { replaceFile } from '#adapters/system/files.ts'
import { errorFields, type Log, type LogFields } from '#adapters/system/log.ts'
import { CodedError, codeOf, type ErrorCode } from '#core/errors.ts'
import type { TrustStore } from '#core/snp/chain.ts'
import { type Crl, isOlder } from '#core/snp/crl.ts'
import type { Product } from '#core/snp/product.ts'
import { toRfc3339 } from '#core/time.ts'
import type { Clock } from '#ports/clock.ts'
import { type HeldCrl, openCrlOf, readCrl } from './endorsements.ts'

export type RevocationLists = {
  readonly held: () => readonly HeldCrl[]
  /** Reads the folder, and asks AMD if that is due. Throws the first failure; the held lists stay. */
  readonly refresh: (signal: AbortSignal) => Promise<void>
}

/**
 * A list that is dated further ahead of our clock is not accepted. It is unusable and would replace a usable
 * one.
 */
const CLOCK_SECONDS = 300
const DAY_SECONDS = 86_400
/** Below this the log gets a warning. AMD's lists of 2026 are valid for 45 days. */
const ENDING_DAYS = 7
/** After a failed attempt. The client of the service has waits of its own, too. */
const AGAIN_SECONDS = 600

/** `crls`: the lists read at the start. */
export function createRevocationLists(options: {
  readonly folder: string
  readonly roots: TrustStore
  readonly crls: readonly HeldCrl[]
  readonly kds: { readonly client: Kds; readonly refreshSeconds: number } | undefined
  readonly clock: Pick<Clock, 'now' | 'monotonic'>
  readonly log: Log
  /** Called for each list that was not fetched or not accepted. */
  readonly failed: (product: Product, code: ErrorCode) => void
}): RevocationLists {
  const { folder, roots, kds, clock, log, failed } = options
  const held = new Map(options.crls.map((crl) => [crl.product, crl]))
  const dueAt = new Map<Product, number>()
  const logAge = createAgeLog(log)
  const products = roots.roots.map(({ product }) => product)

  /** True if it replaces another list. Throws if it is older than the held one, or from the future. */
  const accept = (crl: HeldCrl): boolean => {
    const before = held.get(crl.product)
    if (before?.digest === crl.digest) return false
    if (before !== undefined && isOlder(crl, before))
      throw new CodedError(
        'crl.superseded',
        `the list of ${crl.product} is number ${crl.number} of ${toRfc3339(crl.thisUpdate)}, the held one is number ${before.number} of ${toRfc3339(before.thisUpdate)}`,
      )
    if (crl.thisUpdate > clock.now() + CLOCK_SECONDS)
      throw new CodedError(
        'crl.stale',
        `the list of ${crl.product} is dated ${toRfc3339(crl.thisUpdate)}, which is in the future; check the clock`,
      )
    held.set(crl.product, crl)
    log.info('revocation list in force', fieldsOf(crl))
    return true
  }

  const readFolder = async (product: Product): Promise<void> => {
    const crl = await readCrl(folder, product, roots)
    if (crl !== undefined) accept(crl)
  }

  const fetch = async (product: Product, signal: AbortSignal): Promise<void> => {
    if (kds === undefined || clock.monotonic() < (dueAt.get(product) ?? 0)) return
    const next = (seconds: number) =>
      // Up to a tenth earlier or later, so that replicas do not ask at the same time.
      dueAt.set(product, clock.monotonic() + seconds * 1000 * (0.9 + 0.2 * Math.random()))
    next(AGAIN_SECONDS)
    const der = await kds.client.crl(product, signal)
    const isNew = accept(openCrlOf(der, product, roots.roots))
    next(kds.refreshSeconds)
    if (isNew) await store(product, der)
  }

  let warned = false
  /** If the folder cannot be written, the next start finds its older list and asks again. */
  const store = async (product: Product, der: Buffer): Promise<void> => {
    try {
      await replaceFile(endorsementPath(folder, product, 'crl'), der)
    } catch (error) {
      if (!warned) log.warn('revocation list cannot be kept', errorFields(error))
      warned = true
    }
  }

  return {
    held: () => [...held.values()],
    refresh: async (signal) => {
      const faults: unknown[] = []
      for (const step of [readFolder, fetch])
        for (const product of products) {
          try {
            await step(product, signal)
          } catch (error) {
            signal.throwIfAborted()
            failed(product, codeOf(error))
            faults.push(error)
          }
        }
      logAge([...held.values()], clock.now())
      if (faults.length > 0) throw faults[0]
    },
  }
}

/** Days until `nextUpdate`, negative afterwards. */
export function daysLeft({ nextUpdate }: Crl, now: number): number {
  return (nextUpdate - now) / DAY_SECONDS
}

/** Logs once that a list ends within a week, and once that it has ended. */
function createAgeLog(log: Log): (crls: readonly Crl[], now: number) => void {
  const logged = new Map<string, 'ending' | 'ended'>()
  return (crls, now) => {
    for (const crl of crls) {
      const days = daysLeft(crl, now)
      const state = days < 0 ? 'ended' : days < ENDING_DAYS ? 'ending' : undefined
      if (state === undefined || logged.get(crl.digest) === state) continue
      logged.set(crl.digest, state)
      if (state === 'ending') log.warn('revocation list ends soon', fieldsOf(crl))
      else log.error('revocation list has ended', fieldsOf(crl))
    }
  }
}

function fieldsOf({ product, number, nextUpdate }: Crl): LogFields {
  return { product, number, nextUpdate: toRfc3339(nextUpdate) }
}
