/**
 * Gathers the lives of releases from entries in order of time. A complete life is handed over some time after
 * its last entry, and forgotten but for its id: memory holds what is under way, not what has been.
 */
import { BoundedMap } from './bounded.ts'
import { IdSet } from './compactTable.ts'
import type { Findings } from './finding.ts'
import { type Accepted, type Decided, isComplete, type Life, type Receipt, type RefusedJobs } from './life.ts'
import type { AnyLogged, Logged } from './log/log.ts'

/** Complete lives that wait for a contradiction, so that it is told as what it is. */
const MAX_COMPLETE = 1024
/** Lives under way at one time. Of more, the oldest is judged as it is. */
const MAX_LIVES = 16_384
/** Of one kind in one life. */
const MAX_REPEATED = 64
/** Of one log: a decision follows its `worker.accepted` within one request. */
const MAX_ACCEPTED = 8192

/** Of each log: what `release.decided` and `release.refused` refer to, by index; null for a lost entry. */
type Requests = { readonly accepted: BoundedMap<number, Accepted | null>; next: number }

export class Lives {
  readonly #findings: Findings
  readonly #lives = new Map<string, Life>()
  readonly #settled = new IdSet(16)
  #complete = new Set<Life>()
  #due: Life[] = []
  readonly #requests = new Map<string, Requests>()
  // By `<boot>/<releaseId>` and `<boot>/<jobId>`, so that a worker's later entries find their receipt.
  readonly #receipts = new Map<string, Receipt>()

  constructor(findings: Findings) {
    this.#findings = findings
  }

  get(releaseId: string): Life | undefined {
    return this.#lives.get(releaseId)
  }

  /** True if any log has said anything of it. */
  knows(releaseId: string): boolean {
    return this.#lives.has(releaseId) || this.#settled.has(releaseId)
  }

  /** Number of lives that are to be judged. */
  get due(): number {
    return this.#due.length
  }

  /** These lives. They are forgotten. */
  takeDue(): readonly Life[] {
    const due = this.#due
    this.#due = []
    return due
  }

  /** The remaining lives, when the logs have ended, some at a time. */
  *takeAll(): Generator<Life> {
    yield* this.takeDue()
    for (const life of this.#lives.values()) {
      this.#forget(life)
      yield life
    }
  }

  /** The request that an entry is about. Reports one that names no `worker.accepted` before it. */
  acceptedFor(logged: Logged<'release.decided' | 'release.refused'>): Accepted | undefined {
    const { boot, entry } = logged
    const named = this.#requestsOf(boot).accepted.get(entry.accepted)
    if (named === undefined)
      this.#findings.at(logged)(
        'decision.unfounded',
        `${entry.event} names entry ${entry.accepted}, which does not accept a worker`,
      )
    return named ?? undefined
  }

  /** Entries of one log must come in order. Those that cannot be read do not come. */
  record(logged: AnyLogged): Decided | RefusedJobs | undefined {
    this.#countLost(logged)
    const { boot, entry } = logged
    switch (entry.event) {
      case 'worker.accepted':
        this.#requestsOf(boot).accepted.set(logged.index, entry)
        return undefined
      case 'release.decided': {
        const decided = { ...logged, entry, accepted: this.acceptedFor({ ...logged, entry }) }
        this.#add(decided, (life) => life.decided)
        return decided
      }
      case 'release.refused':
        return { ...logged, entry, accepted: this.acceptedFor({ ...logged, entry }) }
      case 'release.issued':
      case 'release.failed':
        this.#add({ ...logged, entry }, (life) => life.ends)
        return undefined
      case 'release.interrupted':
        this.#add({ ...logged, entry }, (life) => life.interruptions)
        return undefined
      case 'key.received':
        this.#receive({ ...logged, entry })
        return undefined
      case 'result.intent': {
        const receipt = this.#receiptOf(entry.releaseId, logged)
        if (receipt !== undefined) this.#push(receipt.intents, { ...logged, entry }, logged)
        return undefined
      }
      case 'result.visible':
      case 'result.superseded':
      case 'result.foreign':
        this.#end(entry.releaseId, this.#receiptOf(entry.releaseId, logged), { ...logged, entry })
        return undefined
      case 'job.failed':
        if (entry.releaseId !== null)
          this.#end(entry.releaseId, this.#receiptOf(entry.releaseId, logged), { ...logged, entry })
        return undefined
      case 'job.dead-lettered':
      case 'job.returned': {
        const receipt = this.#receipts.get(`${boot}/${entry.jobId}`)
        this.#end(receipt?.received.entry.releaseId ?? '', receipt, { ...logged, entry })
      }
    }
    return undefined
  }

  #countLost({ boot, index }: AnyLogged): void {
    const requests = this.#requestsOf(boot)
    const from = Math.max(requests.next, index - MAX_ACCEPTED)
    for (let lost = from; lost < index; lost++) requests.accepted.set(lost, null)
    requests.next = index + 1
  }

  #requestsOf(boot: string): Requests {
    const known = this.#requests.get(boot) ?? { accepted: new BoundedMap(MAX_ACCEPTED), next: 0 }
    this.#requests.set(boot, known)
    return known
  }

  #add<One extends AnyLogged>(one: One, listOf: (life: Life) => One[]): void {
    const life = this.#lifeOf(one)
    if (life === undefined) return
    this.#push(listOf(life), one, one)
    this.#await(life)
  }

  /** Undefined, and a finding, if the release was settled long ago. */
  #lifeOf(logged: AnyLogged): Life | undefined {
    const { entry } = logged
    if (!('releaseId' in entry) || entry.releaseId === null) return undefined
    const { releaseId, event } = entry
    const known = this.#lives.get(releaseId)
    if (known !== undefined) return known
    if (this.#settled.has(releaseId)) {
      this.#findings.at(logged, `release ${releaseId}`)('release.repeated', `${event} after its end`)
      return undefined
    }
    const life: Life = { releaseId, decided: [], ends: [], interruptions: [], receipts: [] }
    this.#lives.set(releaseId, life)
    if (this.#lives.size > MAX_LIVES) this.#judgeOldest()
    return life
  }

  /** Later entries belong to the first receipt of their release, or to the last receipt of their job. */
  #receive(received: Logged<'key.received'>): void {
    const { boot, entry } = received
    const life = this.#lifeOf(received)
    if (life === undefined) return
    const receipt: Receipt = { received, intents: [], ends: [] }
    this.#push(life.receipts, receipt, received)
    const release = `${boot}/${entry.releaseId}`
    if (!this.#receipts.has(release)) this.#receipts.set(release, receipt)
    this.#receipts.set(`${boot}/${entry.jobId}`, receipt)
  }

  #end(releaseId: string, receipt: Receipt | undefined, end: Receipt['ends'][number]): void {
    if (receipt === undefined) return
    this.#push(receipt.ends, end, end)
    const life = this.#lives.get(releaseId)
    if (life !== undefined) this.#await(life)
  }

  #receiptOf(releaseId: string, logged: AnyLogged): Receipt | undefined {
    const { boot, entry } = logged
    const receipt = this.#receipts.get(`${boot}/${releaseId}`)
    const text = `${entry.event} names release ${releaseId}, which this log did not receive`
    if (receipt === undefined) this.#findings.at(logged)('release.contradicted', text)
    return receipt
  }

  #push<One>(list: One[], one: One, logged: AnyLogged): void {
    if (list.length < MAX_REPEATED) list.push(one)
    else
      this.#findings.at(logged)('release.repeated', `${logged.entry.event} more than ${MAX_REPEATED} times`)
  }

  #await(life: Life): void {
    if (!isComplete(life)) return
    this.#complete.add(life)
    if (this.#complete.size <= MAX_COMPLETE) return
    for (const oldest of this.#complete) {
      this.#settle(oldest)
      return
    }
  }

  #judgeOldest(): void {
    for (const life of this.#lives.values()) {
      this.#settle(life)
      return
    }
  }

  #settle(life: Life): void {
    this.#forget(life)
    this.#due.push(life)
  }

  #forget(life: Life): void {
    const { releaseId } = life
    this.#lives.delete(releaseId)
    this.#complete.delete(life)
    this.#settled.add(releaseId)
    for (const { received } of life.receipts) {
      this.#receipts.delete(`${received.boot}/${releaseId}`)
      const job = `${received.boot}/${received.entry.jobId}`
      if (this.#receipts.get(job)?.received.entry.releaseId === releaseId) this.#receipts.delete(job)
    }
  }
}
