/**
 * The arithmetic of a quota: a chain of entries with running totals, one per permission and window. Only a
 * writer who knows entry n can write entry n + 1, because its total follows from n. So of two writers at the
 * same time one succeeds, and the other reads on (verifier/quotas.ts).
 *
 * Every 256th entry repeats the ids of the 255 before it. A long chain is then read by those and its end.
 */
import { z } from 'zod'
import { defineFormat } from '../canonical.ts'
import { CodedError } from '../errors.ts'
import { count, resultId, version1 } from '../fields.ts'
import type { Permission } from '../policy/policy.ts'
import type { Quota } from '../policy/quota.ts'
import { addSeconds, toUnixSeconds, type UnixSeconds } from '../time.ts'

export const SEGMENT = 256
const MAX_WORKS = 256
const HOUR_SECONDS = 3600

export const Totals = z.strictObject({ releases: count, objects: count, bytes: count })
/** What was, or is to be, released: of different work, in objects and in plaintext bytes. */
export type Totals = z.output<typeof Totals>
export const UNITS = ['releases', 'objects', 'bytes'] as const
type Unit = (typeof UNITS)[number]

const Work = z.strictObject({ id: resultId, objects: count, bytes: count })
/** One question about one input, however often it is asked for: its result's id. It is one release. */
export type Work = z.output<typeof Work>

const Entry = z.strictObject({
  v: version1,
  works: z.array(Work).min(1).max(MAX_WORKS),
  /** After these works. */
  total: Totals,
  /** In an entry whose number is a multiple of 256: the ids of the 255 entries before it. Else empty. */
  before: z.array(z.array(resultId).max(MAX_WORKS)).max(SEGMENT - 1),
})
export type QuotaEntry = z.output<typeof Entry>
export const QuotaEntryFormat = defineFormat({
  name: 'quota entry',
  maxBytes: 5 * 1024 * 1024,
  code: 'service.failed',
  schema: Entry,
})

/** The window of a quota at a time, by the Verifier's clock. `folder` names its chain. */
export type QuotaWindow = {
  readonly folder: string
  readonly begins: UnixSeconds
  readonly ends: UnixSeconds
}

export function windowAt({ id, quota }: Pick<Permission, 'id' | 'quota'>, now: UnixSeconds): QuotaWindow {
  const seconds = quota.hours * HOUR_SECONDS
  const begins = toUnixSeconds(now - (now % seconds))
  return { folder: `quota/${id}/${quota.hours}h-${begins}`, begins, ends: addSeconds(begins, seconds) }
}

/** Zero-padded, so that a listing is in order. */
export function quotaEntryName({ folder }: Pick<QuotaWindow, 'folder'>, n: number): string {
  return `${folder}/${String(n).padStart(9, '0')}`
}

export type Charge =
  /** The work is in the chain. `used`: the totals when it was added, or now if it was there before. */
  | { readonly kind: 'charged'; readonly used: Totals }
  /** The first limit that it would exceed. */
  | {
      readonly kind: 'exceeded'
      readonly unit: Unit
      readonly limit: number
      readonly used: number
      readonly asked: number
    }

/** A work and the limits of the policy that decided on it. */
export type Asked = { readonly work: Work; readonly limits: Quota }

/** What is known of one chain. It only grows. */
export class QuotaChain {
  // Invariant: #total is the sum of all works in entries 1 … #length, and #ids are theirs. A segment, entries
  // 256 k + 1 … 256 k + 256, is complete in #segment up to #length.
  readonly #ids = new Set<string>()
  #segment: (readonly string[])[] = []
  #length = 0
  #total: Totals = { releases: 0, objects: 0, bytes: 0 }

  get length(): number {
    return this.#length
  }

  get total(): Totals {
    return this.#total
  }

  /**
   * What becomes of each of the works, in order, and the works of the next entry: those that are not in the
   * chain and fit.
   */
  plan(asked: readonly Asked[]): { readonly charges: readonly Charge[]; readonly works: readonly Work[] } {
    const works: Work[] = []
    const added = new Set<string>()
    let total = this.#total
    const charges = asked.map(({ work, limits }): Charge => {
      if (this.#ids.has(work.id) || added.has(work.id)) return { kind: 'charged', used: total }
      const asks = { releases: 1, objects: work.objects, bytes: work.bytes }
      for (const unit of UNITS)
        if (total[unit] + asks[unit] > limits[unit])
          return { kind: 'exceeded', unit, limit: limits[unit], used: total[unit], asked: asks[unit] }
      works.push(work)
      added.add(work.id)
      total = sum(total, [work])
      return { kind: 'charged', used: total }
    })
    return { charges, works }
  }

  /** The entry after the last known one. */
  next(works: readonly Work[]): QuotaEntry {
    const before = (this.#length + 1) % SEGMENT === 0 ? this.#segment.map((ids) => [...ids]) : []
    return { v: 1, works: [...works], total: sum(this.#total, works), before }
  }

  /** Adds entry `length + 1`. Throws `service.failed` unless it follows from the chain. */
  add(entry: QuotaEntry): void {
    const n = this.#length + 1
    const before = n % SEGMENT === 0 ? this.#segment : []
    const follows =
      isSame(entry.total, sum(this.#total, entry.works)) &&
      entry.works.every(({ id }) => !this.#ids.has(id)) &&
      JSON.stringify(entry.before) === JSON.stringify(before)
    if (!follows) throw broken(n)
    this.#take(entry, n)
  }

  /**
   * Adds entry `n`, the last of a segment that is not known to its end, and by its word those before it.
   * Throws `service.failed` unless it continues what is known.
   */
  skipTo(n: number, entry: QuotaEntry): void {
    const known = this.#length - (n - SEGMENT)
    const skipped = entry.before.slice(known).flat()
    // `#segment` begins after a multiple of 256, so `before` begins with it only if `n` is one.
    const continues =
      known >= 0 &&
      known < SEGMENT &&
      entry.before.length === SEGMENT - 1 &&
      JSON.stringify(entry.before.slice(0, known)) === JSON.stringify(this.#segment) &&
      entry.total.releases === this.#total.releases + skipped.length + entry.works.length &&
      UNITS.every((unit) => entry.total[unit] >= this.#total[unit])
    if (!continues) throw broken(n)
    for (const id of skipped) this.#ids.add(id)
    this.#take(entry, n)
  }

  #take({ works, total }: QuotaEntry, n: number): void {
    for (const { id } of works) this.#ids.add(id)
    if (n % SEGMENT === 0) this.#segment = []
    else this.#segment.push(works.map(({ id }) => id))
    this.#length = n
    this.#total = total
  }
}

function sum(total: Totals, works: readonly Work[]): Totals {
  return works.reduce(
    ({ releases, objects, bytes }, work) => ({
      releases: releases + 1,
      objects: objects + work.objects,
      bytes: bytes + work.bytes,
    }),
    total,
  )
}

function isSame(one: Totals, other: Totals): boolean {
  return UNITS.every((unit) => one[unit] === other[unit])
}

function broken(n: number): CodedError {
  return new CodedError('service.failed', `entry ${n} of a quota does not follow from those before it`)
}
