/**
 * The revocation lists in force: one a root, replaced by newer ones alone. They come from the folder, which is read again and
 * again, and, where it is configured, from AMD's key distribution service; never from a request, and never while one waits.
 *
 * Stale rule: a list is held until a newer one comes, however old it gets, and what it revokes stays revoked. Whether a
 * report may still be accepted under an old list, or under none, is said by each release (`crl`): one that demands a list refuses
 * where there is none, and from `nextUpdate` and its grace on.
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
import { openCrlOf, readCrl } from './endorsements.ts'

export type RevocationLists = {
  readonly held: () => readonly Crl[]
  /** Reads the folder, and asks AMD where that is due. Throws the first of what went wrong; what is held stays. */
  readonly refresh: (signal: AbortSignal) => Promise<void>
}

/** A list that is dated later than our own clock by more is not taken: it could not be used, and would end one that can. */
const CLOCK_SECONDS = 300
const DAY_SECONDS = 86_400
/** Below this a warning stands in the log. AMD's lists of 2026 live 45 days. */
const ENDING_DAYS = 7
/** After an attempt that failed; the client of the service waits by itself, too. */
const AGAIN_SECONDS = 600

/** `crls`: those that were read at the start. */
export function createRevocationLists(options: {
  readonly folder: string
  readonly roots: TrustStore
  readonly crls: readonly Crl[]
  readonly kds: { readonly client: Kds; readonly refreshSeconds: number } | undefined
  readonly clock: Pick<Clock, 'now' | 'monotonic'>
  readonly log: Log
  /** Told of each list that could not be had or not be taken. */
  readonly failed: (product: Product, code: ErrorCode) => void
}): RevocationLists {
  const { folder, roots, kds, clock, log, failed } = options
  const held = new Map(options.crls.map((crl) => [crl.product, crl]))
  const dueAt = new Map<Product, number>()
  const tellAge = createAgeTeller(log)
  const products = roots.roots.map(({ product }) => product)

  /** True where it is another one than before. */
  const take = (crl: Crl): boolean => {
    const before = held.get(crl.product)
    if (before?.digest === crl.digest) return false
    if (before !== undefined && isOlder(crl, before))
      throw new CodedError(
        'crl.superseded',
        `the list of ${crl.product} is number ${crl.number} of ${toRfc3339(crl.thisUpdate)}; number ${before.number} of ${toRfc3339(before.thisUpdate)} is held`,
      )
    if (crl.thisUpdate > clock.now() + CLOCK_SECONDS)
      throw new CodedError(
        'crl.stale',
        `the list of ${crl.product} is of ${toRfc3339(crl.thisUpdate)}, which is yet to come; check the clock`,
      )
    held.set(crl.product, crl)
    log.info('revocation list in force', fieldsOf(crl))
    return true
  }

  const readFolder = async (product: Product): Promise<void> => {
    const crl = await readCrl(folder, product, roots)
    if (crl !== undefined) take(crl)
  }

  const fetch = async (product: Product, signal: AbortSignal): Promise<void> => {
    if (kds === undefined || clock.monotonic() < (dueAt.get(product) ?? 0)) return
    const next = (seconds: number) =>
      // Half of a fifth earlier or later, so that replicas do not ask together.
      dueAt.set(product, clock.monotonic() + seconds * 1000 * (0.9 + 0.2 * Math.random()))
    next(AGAIN_SECONDS)
    const der = await kds.client.crl(product, signal)
    const isNew = take(openCrlOf(der, product, roots.roots))
    next(kds.refreshSeconds)
    if (isNew) await keep(product, der)
  }

  let told = false
  /** Where the folder cannot be written, the next start knows the list that lies there, and asks again. */
  const keep = async (product: Product, der: Buffer): Promise<void> => {
    try {
      await replaceFile(endorsementPath(folder, product, 'crl'), der)
    } catch (error) {
      if (!told) log.warn('revocation list cannot be kept', errorFields(error))
      told = true
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
      tellAge([...held.values()], clock.now())
      if (faults.length > 0) throw faults[0]
    },
  }
}

/** Until `nextUpdate`; negative afterwards. */
export function daysLeft({ nextUpdate }: Crl, now: number): number {
  return (nextUpdate - now) / DAY_SECONDS
}

/** Says once that a list will end within a week, and once that it has ended. */
function createAgeTeller(log: Log): (crls: readonly Crl[], now: number) => void {
  const said = new Map<string, 'ending' | 'ended'>()
  return (crls, now) => {
    for (const crl of crls) {
      const days = daysLeft(crl, now)
      const state = days < 0 ? 'ended' : days < ENDING_DAYS ? 'ending' : undefined
      if (state === undefined || said.get(crl.digest) === state) continue
      said.set(crl.digest, state)
      if (state === 'ending') log.warn('revocation list ends soon', fieldsOf(crl))
      else log.error('revocation list has ended', fieldsOf(crl))
    }
  }
}

function fieldsOf({ product, number, nextUpdate }: Crl): LogFields {
  return { product, number, nextUpdate: toRfc3339(nextUpdate) }
}
