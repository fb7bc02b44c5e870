/**
 * The releases of one log that are decided and have no end yet.
 *
 * Another boot of the Verifier that sees this log stand still for twice the deadline of a request, with a
 * release unended, writes that the log has ended there (`release.interrupted`). So the log must not go on:
 * if a release that may be visible as decided has no stored end within the limit, no later checkpoint may be
 * signed. That happens to a process that was suspended, or whose log could not be written for so long.
 */
import { CodedError } from '#core/errors.ts'
import type { EntryBody } from '#core/evidence/entry.ts'

/** The time from the first attempt to store a decision until its end must be stored. */
export type EndLimit = { readonly milliseconds: number; readonly monotonic: () => number }

/** The releases that some entries decide, and those that they end. */
export type ReleaseChanges = { readonly decided: string[]; readonly ended: string[] }

export class OpenReleases {
  readonly #limit: EndLimit | undefined
  /** Decided, and no end is appended. Each holds a place in the log for its end. */
  readonly #unended = new Set<string>()
  /** In order of time: the first attempt to store each decision, until its end is stored. */
  readonly #told = new Map<string, number>()
  #pending: ReleaseChanges = { decided: [], ended: [] }

  constructor(limit: EndLimit | undefined) {
    this.#limit = limit
  }

  get size(): number {
    return this.#unended.size
  }

  /** The places that an entry needs. A decision needs one for its end too, so an end always has one. */
  placesOf(body: EntryBody): number {
    if (body.event === 'release.decided') return 2
    return isEnd(body) && this.#unended.has(body.releaseId) ? 0 : 1
  }

  append(body: EntryBody): void {
    if (body.event === 'release.decided') {
      this.#unended.add(body.releaseId)
      this.#pending.decided.push(body.releaseId)
    }
    if (isEnd(body)) {
      this.#unended.delete(body.releaseId)
      this.#pending.ended.push(body.releaseId)
    }
  }

  /** The changes since the last call, which belong to the next commit. */
  take(): ReleaseChanges {
    const changes = this.#pending
    this.#pending = { decided: [], ended: [] }
    return changes
  }

  /**
   * Throws `evidence.overdue` if the checkpoint over `changes` comes too late. From now on it may be stored.
   */
  expectInTime({ decided, ended }: ReleaseChanges): void {
    if (this.#limit === undefined) return
    const now = this.#limit.monotonic()
    const [oldest] = this.#told
    const seconds = (now - (oldest?.[1] ?? now)) / 1000
    if (oldest !== undefined && seconds * 1000 > this.#limit.milliseconds)
      throw new CodedError(
        'evidence.overdue',
        `release ${oldest[0]} has no stored end after ${seconds} seconds`,
      )
    const endsHere = new Set(ended)
    for (const id of decided) if (!endsHere.has(id) && !this.#told.has(id)) this.#told.set(id, now)
  }

  stored({ ended }: ReleaseChanges): void {
    for (const id of ended) this.#told.delete(id)
  }
}

function isEnd(body: EntryBody): body is Extract<EntryBody, { event: 'release.issued' | 'release.failed' }> {
  return body.event === 'release.issued' || body.event === 'release.failed'
}
