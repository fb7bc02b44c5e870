/**
 * Gathers the entries of each request from those of its Verifier's log: the entry on the worker, right after it
 * those on the jobs, and later the grants that were issued.
 */
import type { Entry } from '../entry.ts'
import type { Placed, RecordedCase } from '../review/case.ts'
import type { AnyLogged } from './log/log.ts'

/** Requests under way at one time. Of more, the oldest is reviewed as it is. */
const MAX_OPEN = 8192

type OpenCase = {
  readonly boot: string
  readonly worker: RecordedCase['worker']
  readonly decided: Placed<'release.decided'>[]
  readonly refused: Placed<'release.refused'>[]
  readonly issued: Placed<'release.issued'>[]
  /** Decided and without an end so far. */
  readonly unended: Set<string>
  whole: boolean
}

/** Of each log: the request whose jobs are being told, and the index after its last entry. */
type Place = { telling: OpenCase | undefined; next: number }

export class RequestCases {
  // In the order of their beginning, and by `<boot>/<releaseId>`.
  readonly #open = new Set<OpenCase>()
  readonly #ofRelease = new Map<string, OpenCase>()
  readonly #places = new Map<string, Place>()
  #ready: RecordedCase[] = []

  get ready(): number {
    return this.#ready.length
  }

  /** The requests that are complete. They are forgotten. */
  take(): readonly RecordedCase[] {
    const ready = this.#ready
    this.#ready = []
    return ready
  }

  /**
   * Entries of one log must come in order. Those that cannot be read do not come. False for an entry on a job
   * that does not follow the entry on its worker: it is in no case.
   */
  record({ boot, index, entry }: AnyLogged): boolean {
    const place = this.#places.get(boot) ?? { telling: undefined, next: index }
    this.#places.set(boot, place)
    this.#tell(place, entry, index)
    place.next = index + 1
    switch (entry.event) {
      case 'worker.accepted':
      case 'worker.refused':
        place.telling = this.#begin({ index, entry }, boot)
        return true
      case 'release.decided': {
        const { telling } = place
        if (telling === undefined) return false
        telling.decided.push({ index, entry })
        telling.unended.add(entry.releaseId)
        this.#ofRelease.set(`${boot}/${entry.releaseId}`, telling)
        return true
      }
      case 'release.refused':
        place.telling?.refused.push({ index, entry })
        return place.telling !== undefined
      case 'release.issued':
        this.#ofRelease.get(`${boot}/${entry.releaseId}`)?.issued.push({ index, entry })
        this.#end(boot, entry.releaseId)
        return true
      case 'release.failed':
        this.#end(boot, entry.releaseId)
    }
    return true
  }

  /** When the logs have ended: also the requests that have no end. */
  close(): void {
    for (const open of this.#open) this.#finish(open)
  }

  /** The entries on the jobs follow without a gap. Any other entry ends them. */
  #tell(place: Place, entry: Entry, index: number): void {
    const { telling } = place
    if (telling === undefined) return
    if (index !== place.next) telling.whole = false
    if ('accepted' in entry && entry.accepted === telling.worker.index) return
    place.telling = undefined
    if (telling.unended.size === 0) this.#finish(telling)
  }

  #begin(worker: RecordedCase['worker'], boot: string): OpenCase {
    const open = {
      boot,
      worker,
      decided: [],
      refused: [],
      issued: [],
      unended: new Set<string>(),
      whole: true,
    }
    this.#open.add(open)
    for (const oldest of this.#open) {
      if (this.#open.size <= MAX_OPEN) break
      this.#finish(oldest)
    }
    return open
  }

  #end(boot: string, releaseId: string): void {
    const open = this.#ofRelease.get(`${boot}/${releaseId}`)
    if (open === undefined) return
    open.unended.delete(releaseId)
    if (open.unended.size === 0 && this.#places.get(boot)?.telling !== open) this.#finish(open)
  }

  #finish(open: OpenCase): void {
    if (!this.#open.delete(open)) return
    const { unended: _unended, ...recorded } = open
    const { boot, decided } = recorded
    for (const { entry } of decided) this.#ofRelease.delete(`${boot}/${entry.releaseId}`)
    this.#ready.push(recorded)
  }
}
