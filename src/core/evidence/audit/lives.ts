/** What all logs say of each release, gathered: the Verifier's decision and its end, the worker's acts in order. */

import type { Registration } from '../../boot/registration.ts'
import type { Entry } from '../entry.ts'
import type { Findings } from './finding.ts'

type Of<Event extends Entry['event']> = Extract<Entry, { event: Event }>
export type Placed<Event extends Entry['event']> = {
  readonly boot: string
  readonly index: number
  readonly entry: Of<Event>
}

/** How a worker's part in a release ended, in its own words. */
const WORKER_ENDS = [
  'result.visible',
  'result.superseded',
  'result.foreign',
  'job.failed',
  'job.returned',
  'job.dead-lettered',
] as const
export type WorkerEnd = Placed<(typeof WORKER_ENDS)[number]>

export type Held = {
  readonly received: Placed<'key.received'>
  readonly intents: Placed<'result.intent'>[]
  readonly ends: WorkerEnd[]
}

export type Life = {
  decided: Placed<'release.decided'>[]
  ends: Placed<'release.issued' | 'release.failed'>[]
  held: Held[]
}

export class Lives {
  readonly #findings: Findings
  readonly releases = new Map<string, Life>()
  readonly refused: Placed<'release.refused'>[] = []
  readonly turnedAway: Of<'requests.refused'>[] = []
  readonly registered: Placed<'boot.registered'>[] = []
  readonly loaded: Placed<'policy.loaded'>[] = []
  /** By `<boot>/<index>`, as a manifest names them. */
  readonly intents = new Map<string, Placed<'result.intent'>>()
  /** Of visible, superseded and foreign results: what they say of a manifest. */
  readonly sightings: Placed<'result.visible' | 'result.superseded' | 'result.foreign'>[] = []
  /** Jobs that were set aside for good, by whichever worker. */
  readonly deadLettered = new Set<string>()
  // By `<boot>/<releaseId>` and `<boot>/<jobId>`: what a worker holds, so that its later entries find it.
  readonly #held = new Map<string, Held>()

  constructor(findings: Findings) {
    this.#findings = findings
  }

  /** Entries of one log come in order. */
  take(entry: Entry, role: Registration['role'], boot: string, index: number): void {
    switch (entry.event) {
      case 'log.opened':
      case 'log.closed':
      case 'release.denied':
        return
      case 'policy.loaded':
        if (this.#isOf('verifier', role, entry, boot, index)) this.loaded.push({ boot, index, entry })
        return
      case 'boot.registered':
        if (this.#isOf('verifier', role, entry, boot, index)) this.registered.push({ boot, index, entry })
        return
      case 'release.decided':
        if (this.#isOf('verifier', role, entry, boot, index))
          this.#life(entry.releaseId).decided.push({ boot, index, entry })
        return
      case 'release.issued':
      case 'release.failed':
        if (this.#isOf('verifier', role, entry, boot, index))
          this.#life(entry.releaseId).ends.push({ boot, index, entry })
        return
      case 'release.refused':
        if (this.#isOf('verifier', role, entry, boot, index)) this.refused.push({ boot, index, entry })
        return
      case 'requests.refused':
        if (this.#isOf('verifier', role, entry, boot, index)) this.turnedAway.push(entry)
        return
      case 'key.received':
        if (this.#isOf('worker', role, entry, boot, index)) this.#receive({ boot, index, entry })
        return
      case 'result.intent': {
        this.intents.set(`${boot}/${index}`, { boot, index, entry })
        this.#holding(entry.releaseId, entry, boot, index)?.intents.push({ boot, index, entry })
        return
      }
      case 'result.visible':
      case 'result.superseded':
      case 'result.foreign':
        this.sightings.push({ boot, index, entry })
        this.#holding(entry.releaseId, entry, boot, index)?.ends.push({ boot, index, entry })
        return
      case 'job.failed':
        if (entry.releaseId !== null)
          this.#holding(entry.releaseId, entry, boot, index)?.ends.push({ boot, index, entry })
        return
      case 'job.dead-lettered':
        this.deadLettered.add(entry.jobId)
        this.#held.get(`${boot}/${entry.jobId}`)?.ends.push({ boot, index, entry })
        return
      case 'job.returned':
        this.#held.get(`${boot}/${entry.jobId}`)?.ends.push({ boot, index, entry })
    }
  }

  /** What follows belongs to the first receipt of a release, and to the last of a job. */
  #receive(received: Placed<'key.received'>): void {
    const { boot, entry } = received
    const held: Held = { received, intents: [], ends: [] }
    this.#life(entry.releaseId).held.push(held)
    if (!this.#held.has(`${boot}/${entry.releaseId}`)) this.#held.set(`${boot}/${entry.releaseId}`, held)
    this.#held.set(`${boot}/${entry.jobId}`, held)
  }

  #life(releaseId: string): Life {
    const life = this.releases.get(releaseId) ?? { decided: [], ends: [], held: [] }
    this.releases.set(releaseId, life)
    return life
  }

  #holding(releaseId: string, { event }: Entry, boot: string, index: number): Held | undefined {
    const held = this.#held.get(`${boot}/${releaseId}`)
    if (held === undefined)
      this.#findings.add(
        'release.contradicted',
        boot,
        index,
        `${event} speaks of release ${releaseId}, which this log did not receive`,
      )
    return held
  }

  #isOf(
    owner: Registration['role'],
    role: Registration['role'],
    { event }: Entry,
    boot: string,
    index: number,
  ): boolean {
    if (owner !== role) this.#findings.add('log.order', boot, index, `${event} in the log of a ${role}`)
    return owner === role
  }
}
