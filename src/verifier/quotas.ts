/**
 * Quotas across replicas and restarts: chains of create-once objects in the Verifiers' own bucket
 * (core/release/quotaChain.ts). A charge is durable before it is told.
 *
 * Crash argument. A process that dies after its create leaves a charge without a release. The same work asked
 * again finds itself in the chain, so it costs nothing more; work that is never asked again stays charged.
 * Nothing is released without its charge: too much may be counted, never too little.
 */
import { CodedError, codeOf } from '#core/errors.ts'
import {
  type Asked,
  type Charge,
  QuotaChain,
  type QuotaEntry,
  QuotaEntryFormat,
  type QuotaWindow,
  quotaEntryName,
  SEGMENT,
  type Work,
} from '#core/release/quotaChain.ts'
import type { UnixSeconds } from '#core/time.ts'
import { createOnce } from '#ports/createOnce.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

/** Works of one entry; more wait for the next one. */
const MOST_WORKS = 256
/** Reads at the same time. */
const WIDEST = 32
/** A lost race means that another replica charged something. More than this is no race. */
const RACES = 64
/** After its window a chain is kept for charges that are late, by other clocks too. */
const KEPT_SECONDS = 120

export type Quotas = {
  /**
   * One charge per work, in order. Works that wait for the same chain share an entry. Throws the store's
   * code, or `service.failed` for a chain that is not in order; then nothing was told, and the works may be
   * charged.
   */
  readonly charge: (window: QuotaWindow, asked: readonly Asked[]) => Promise<readonly Charge[]>
  /** The share that is used of the fullest limit, 0 to 1, of the windows that this replica knows. */
  readonly fullest: (now: UnixSeconds) => number
}

export function createQuotas(
  store: Pick<ObjectStore, 'create' | 'read' | 'readAll'>,
  bucket: Omit<ObjectRef, 'name'>,
): Quotas {
  const chains = new Map<string, SharedChain>()
  return {
    charge: async (window, asked) => {
      for (const [folder, chain] of chains) {
        const isOver = chain.window.ends + KEPT_SECONDS <= window.begins
        if (isOver) chains.delete(folder)
      }
      const chain = chains.get(window.folder) ?? new SharedChain(store, bucket, window)
      chains.set(window.folder, chain)
      return await chain.charge(asked)
    },
    fullest: (now) =>
      [...chains.values()]
        .filter(({ window }) => now < window.ends)
        .reduce((most, { fullness }) => Math.max(most, fullness), 0),
  }
}

type Waiting = {
  readonly asked: readonly Asked[]
  readonly resolve: (charges: readonly Charge[]) => void
  readonly reject: (error: unknown) => void
}

/** One chain, which this process extends by one create at a time. */
class SharedChain {
  readonly window: QuotaWindow
  readonly #store: Parameters<typeof createQuotas>[0]
  readonly #bucket: Omit<ObjectRef, 'name'>
  readonly #chain = new QuotaChain()
  #waiting: Waiting[] = []
  #running = false
  /** The share that is used of the limits of the last charge. */
  fullness = 0

  constructor(
    store: Parameters<typeof createQuotas>[0],
    bucket: Omit<ObjectRef, 'name'>,
    window: QuotaWindow,
  ) {
    this.#store = store
    this.#bucket = bucket
    this.window = window
  }

  async charge(asked: readonly Asked[]): Promise<readonly Charge[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly Charge[]>()
    this.#waiting.push({ asked, resolve, reject })
    if (!this.#running) void this.#run()
    return await promise
  }

  async #run(): Promise<void> {
    this.#running = true
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch()
      try {
        const charges = [...(await this.#settle(batch.flatMap(({ asked }) => asked)))]
        for (const { asked, resolve } of batch) resolve(charges.splice(0, asked.length))
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#running = false
  }

  /** As many as fit an entry: one waiter at least, since a request has no more works than an entry. */
  #takeBatch(): readonly Waiting[] {
    let works = 0
    let waiters = 0
    for (const { asked } of this.#waiting) {
      works += asked.length
      if (waiters > 0 && works > MOST_WORKS) break
      waiters += 1
    }
    return this.#waiting.splice(0, waiters)
  }

  async #settle(asked: readonly Asked[]): Promise<readonly Charge[]> {
    for (let races = 0; races < RACES; races++) {
      const { charges, works } = this.#chain.plan(asked)
      // Totals only grow: what does not fit into what is known does not fit into the chain.
      if (works.length === 0 || (await this.#append(works))) {
        this.#measure(asked)
        return charges
      }
      await this.#readOn()
    }
    throw new CodedError('service.unavailable', `${RACES} charges of ${this.window.folder} came too late`)
  }

  /** False if another replica was first. Equal bytes charge the same works, also if another replica wrote them. */
  async #append(works: readonly Work[]): Promise<boolean> {
    const entry = this.#chain.next(works)
    const object = this.#entry(this.#chain.length + 1)
    if ((await createOnce(this.#store, object, QuotaEntryFormat.encode(entry))) === 'foreign') return false
    this.#chain.add(entry)
    return true
  }

  #entry(n: number): ObjectRef {
    return { ...this.#bucket, name: quotaEntryName(this.window, n) }
  }

  /** To the end of the chain: entry by entry, then in growing steps, then by segments. */
  async #readOn(): Promise<void> {
    for (let width = 1; ; width = Math.min(2 * width, WIDEST)) {
      const from = this.#chain.length + 1
      const entries = await this.#read(Array.from({ length: width }, (_, i) => from + i))
      for (const entry of entries) this.#chain.add(entry)
      if (entries.length < width) return
      if (width === WIDEST) await this.#skipSegments()
    }
  }

  async #skipSegments(): Promise<void> {
    for (;;) {
      const first = (Math.floor(this.#chain.length / SEGMENT) + 1) * SEGMENT
      const numbers = Array.from({ length: WIDEST }, (_, i) => first + i * SEGMENT)
      const entries = await this.#read(numbers)
      for (const [i, entry] of entries.entries()) this.#chain.skipTo(first + i * SEGMENT, entry)
      if (entries.length < numbers.length) return
    }
  }

  /** Those before the first that is absent. An entry is there only if all before it are. */
  async #read(numbers: readonly number[]): Promise<readonly QuotaEntry[]> {
    const read = await Promise.all(numbers.map((n) => this.#readOne(n)))
    const end = read.indexOf(undefined)
    return read.slice(0, end === -1 ? read.length : end).filter((entry) => entry !== undefined)
  }

  async #readOne(n: number): Promise<QuotaEntry | undefined> {
    try {
      return QuotaEntryFormat.decode(await this.#store.readAll(this.#entry(n), QuotaEntryFormat.maxBytes))
    } catch (error) {
      if (codeOf(error) === 'service.missing') return undefined
      throw error
    }
  }

  #measure(asked: readonly Asked[]): void {
    const limits = asked.at(-1)?.limits
    if (limits === undefined) return
    const { releases, objects, bytes } = this.#chain.total
    this.fullness = Math.max(releases / limits.releases, objects / limits.objects, bytes / limits.bytes)
  }
}
