/**
 * The history of each release in all logs: the Verifier's decision and its end, then the worker's entries in
 * order.
 */
import type { Role } from '../../boot/boot.ts'
import type { Entry } from '../entry.ts'
import type { Findings } from './finding.ts'

type EntryOf<Event extends Entry['event']> = Extract<Entry, { event: Event }>
export type Logged<Event extends Entry['event']> = {
  readonly boot: string
  readonly index: number
  readonly entry: EntryOf<Event>
}

export type EntryPlace = { readonly role: Role; readonly boot: string; readonly index: number }

/** The entries of a worker that end its part in a release. */
export type WorkerEnd = Logged<
  | 'result.visible'
  | 'result.superseded'
  | 'result.foreign'
  | 'job.failed'
  | 'job.returned'
  | 'job.dead-lettered'
>

/** A key that a worker received, and what its log says afterwards. */
export type Receipt = {
  readonly received: Logged<'key.received'>
  readonly intents: Logged<'result.intent'>[]
  readonly ends: WorkerEnd[]
}

/** What the Verifier's log says of the worker whose request an entry is about; undefined if that is lost. */
type OfWorker = { readonly accepted: Accepted | undefined }
export type Accepted = EntryOf<'worker.accepted'>
export type Decided = Logged<'release.decided'> & OfWorker
export type RefusedJobs = Logged<'release.refused'> & OfWorker

export type History = {
  readonly decided: Decided[]
  readonly ends: Logged<'release.issued' | 'release.failed'>[]
  /** What later boots of the Verifier say of it. Two replicas may both say it. */
  readonly interruptions: Logged<'release.interrupted'>[]
  readonly receipts: Receipt[]
}

/** Events that only one role may log. */
const ROLE_OF: Readonly<Partial<Record<Entry['event'], Role>>> = {
  'policy.loaded': 'verifier',
  'worker.accepted': 'verifier',
  'worker.refused': 'verifier',
  'boot.registered': 'verifier',
  'release.decided': 'verifier',
  'release.issued': 'verifier',
  'release.failed': 'verifier',
  'release.interrupted': 'verifier',
  'release.refused': 'verifier',
  'requests.refused': 'verifier',
  'key.received': 'worker',
}

export class Histories {
  readonly #findings: Findings
  /** By release. */
  readonly releases = new Map<string, History>()
  readonly refusedWorkers: Logged<'worker.refused'>[] = []
  readonly refusedJobs: RefusedJobs[] = []
  /** What workers say of them. */
  readonly denials: Logged<'release.denied'>[] = []
  readonly turnedAway: EntryOf<'requests.refused'>[] = []
  readonly registered: Logged<'boot.registered'>[] = []
  readonly loaded: Logged<'policy.loaded'>[] = []
  /** By `<boot>/<index>`, as a manifest names them. */
  readonly intents = new Map<string, Logged<'result.intent'>>()
  /** The entries that name the digest of a manifest. */
  readonly sightings: Logged<'result.visible' | 'result.superseded' | 'result.foreign'>[] = []
  /** The entries of jobs that any worker set aside, then their jobs and objects, also without a release. */
  readonly letters: Logged<'job.dead-lettered'>[] = []
  readonly deadLettered = new Set<string>()
  readonly deadLetteredObjects = new Set<string>()
  /** Of jobs whose objects could not be read. */
  readonly deadLetteredTraces = new Set<string>()
  // By `<boot>/<index>`: each `worker.accepted`, and null for an entry that is lost or unreadable.
  readonly #accepted = new Map<string, Accepted | null>()
  readonly #next = new Map<string, number>()
  // By `<boot>/<releaseId>` and `<boot>/<jobId>`, so that a worker's later entries find their receipt.
  readonly #receipts = new Map<string, Receipt>()

  constructor(findings: Findings) {
    this.#findings = findings
  }

  /** Entries of one log must come in order. Those that cannot be read do not come. */
  record(entry: Entry, place: EntryPlace): void {
    const { role, boot, index } = place
    for (let lost = this.#next.get(boot) ?? 0; lost < index; lost++)
      this.#accepted.set(`${boot}/${lost}`, null)
    this.#next.set(boot, index + 1)
    const owner = ROLE_OF[entry.event] ?? role
    if (owner !== role) {
      this.#findings.at(place)('log.order', `${entry.event} in the log of a ${role}`)
      return
    }
    switch (entry.event) {
      case 'log.opened':
      case 'log.closed':
        return
      case 'release.denied':
        this.denials.push({ boot, index, entry })
        return
      case 'worker.accepted':
        this.#accepted.set(`${boot}/${index}`, entry)
        return
      case 'worker.refused':
        this.refusedWorkers.push({ boot, index, entry })
        return
      case 'policy.loaded':
        this.loaded.push({ boot, index, entry })
        return
      case 'boot.registered':
        this.registered.push({ boot, index, entry })
        return
      case 'release.decided':
        this.#history(entry.releaseId).decided.push({
          boot,
          index,
          entry,
          accepted: this.#acceptedFor(entry, place),
        })
        return
      case 'release.issued':
      case 'release.failed':
        this.#history(entry.releaseId).ends.push({ boot, index, entry })
        return
      case 'release.interrupted':
        this.#history(entry.releaseId).interruptions.push({ boot, index, entry })
        return
      case 'release.refused':
        this.refusedJobs.push({ boot, index, entry, accepted: this.#acceptedFor(entry, place) })
        return
      case 'requests.refused':
        this.turnedAway.push(entry)
        return
      case 'key.received':
        this.#receive({ boot, index, entry })
        return
      case 'result.intent':
        this.intents.set(`${boot}/${index}`, { boot, index, entry })
        this.#receiptOf(entry.releaseId, entry, place)?.intents.push({ boot, index, entry })
        return
      case 'result.visible':
      case 'result.superseded':
      case 'result.foreign':
        this.sightings.push({ boot, index, entry })
        this.#receiptOf(entry.releaseId, entry, place)?.ends.push({ boot, index, entry })
        return
      case 'job.failed':
        if (entry.releaseId !== null)
          this.#receiptOf(entry.releaseId, entry, place)?.ends.push({ boot, index, entry })
        return
      case 'job.dead-lettered':
        this.letters.push({ boot, index, entry })
        this.deadLettered.add(entry.jobId)
        for (const digest of entry.headerDigests) this.deadLetteredObjects.add(digest)
        if (entry.headerDigests.length === 0 && entry.traceparent !== null)
          this.deadLetteredTraces.add(entry.traceparent)
        this.#receipts.get(`${boot}/${entry.jobId}`)?.ends.push({ boot, index, entry })
        return
      case 'job.returned':
        this.#receipts.get(`${boot}/${entry.jobId}`)?.ends.push({ boot, index, entry })
    }
  }

  /** Later entries belong to the first receipt of their release, or to the last receipt of their job. */
  #receive(received: Logged<'key.received'>): void {
    const { boot, entry } = received
    const receipt: Receipt = { received, intents: [], ends: [] }
    this.#history(entry.releaseId).receipts.push(receipt)
    const release = `${boot}/${entry.releaseId}`
    if (!this.#receipts.has(release)) this.#receipts.set(release, receipt)
    this.#receipts.set(`${boot}/${entry.jobId}`, receipt)
  }

  /** Reports an entry that names no `worker.accepted` before it. One that is lost has its own finding. */
  #acceptedFor(
    { event, accepted }: EntryOf<'release.decided' | 'release.refused'>,
    place: EntryPlace,
  ): Accepted | undefined {
    const named = this.#accepted.get(`${place.boot}/${accepted}`)
    if (named === undefined)
      this.#findings.at(place)(
        'decision.unfounded',
        `${event} names entry ${accepted}, which does not accept a worker`,
      )
    return named ?? undefined
  }

  #history(releaseId: string): History {
    const known = this.releases.get(releaseId)
    if (known !== undefined) return known
    const history: History = { decided: [], ends: [], interruptions: [], receipts: [] }
    this.releases.set(releaseId, history)
    return history
  }

  #receiptOf(releaseId: string, { event }: Entry, place: EntryPlace): Receipt | undefined {
    const receipt = this.#receipts.get(`${place.boot}/${releaseId}`)
    const text = `${event} names release ${releaseId}, which this log did not receive`
    if (receipt === undefined) this.#findings.at(place)('release.contradicted', text)
    return receipt
  }
}
