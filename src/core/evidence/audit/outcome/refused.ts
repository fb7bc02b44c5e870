/** What was refused: requests as a whole, jobs, and requests that failed before anything in them was authentic. */
import type { ErrorCode } from '../../../errors.ts'
import { BoundedMap, Newest } from '../bounded.ts'
import type { Rule } from '../context.ts'
import type { Accepted, RefusedJobs } from '../life.ts'
import type { Logged } from '../log/log.ts'
import type { EvidenceReport, RefusedRelease } from '../report.ts'

type Denied = RefusedRelease['denied'][number]

/** Denials that workers log, by id. A refusal has as many as its request had jobs, over all retries few more. */
const MAX_DENIALS = 16_384
const MAX_JOBS = 1024

type RefusedOptions = {
  readonly rows: number
  readonly onRelease: ((release: RefusedRelease) => void) | undefined
}

export class Refused {
  readonly #newest: Newest<RefusedRelease>
  readonly #denied = new BoundedMap<string, Denied[]>(MAX_DENIALS)
  readonly #turnedAway = new Map<ErrorCode, number>()
  readonly #onRelease: RefusedOptions['onRelease']

  constructor({ rows, onRelease }: RefusedOptions) {
    this.#newest = new Newest(rows, ({ time }) => time)
    this.#onRelease = onRelease
  }

  get rule(): Rule {
    return {
      entry: (logged) => {
        const { entry } = logged
        if (entry.event === 'worker.refused')
          this.#add({
            ...common({ ...logged, entry }, entry),
            nearest: entry.nearest,
            reference: null,
            quota: null,
          })
        if (entry.event === 'release.denied') this.#deny({ ...logged, entry })
        if (entry.event === 'requests.refused')
          this.#turnedAway.set(entry.code, (this.#turnedAway.get(entry.code) ?? 0) + entry.count)
      },
      refusal: (refused) =>
        this.#add({
          ...common(refused, refused.accepted),
          nearest: [],
          reference: refused.accepted?.reference ?? null,
          quota: refused.entry.quota,
        }),
    }
  }

  #add(refused: RefusedRelease): void {
    this.#onRelease?.(refused)
    this.#newest.add(refused)
  }

  #deny({ boot: log, entry: { denialId, jobId, traceparent } }: Logged<'release.denied'>): void {
    const said = this.#denied.get(denialId) ?? []
    this.#denied.set(denialId, said)
    if (said.length < MAX_JOBS) said.push({ log, jobId, traceparent })
  }

  get count(): number {
    return this.#newest.count
  }

  get rows(): readonly RefusedRelease[] {
    return this.#newest.rows.map((row) => ({ ...row, denied: this.#denied.get(row.denialId) ?? [] }))
  }

  get turnedAway(): EvidenceReport['turnedAway'] {
    return [...this.#turnedAway].sort().map(([code, count]) => ({ code, count }))
  }
}

type Worker = Pick<
  Logged<'worker.refused'>['entry'] | Accepted,
  'boot' | 'client' | 'purpose' | 'measurement' | 'policySeq' | 'revocationSeq'
>

function common(
  { boot: log, index, entry }: Logged<'worker.refused'> | RefusedJobs,
  worker: Worker | undefined,
) {
  const { denialId, time, headerDigests, traceparents, reasons } = entry
  return {
    kind: 'refused' as const,
    denialId,
    time,
    log,
    index,
    boot: worker?.boot ?? null,
    client: worker?.client ?? null,
    purpose: worker?.purpose ?? null,
    objects: headerDigests.length,
    traceparents,
    measurement: worker?.measurement ?? null,
    policySeq: worker?.policySeq ?? null,
    revocationSeq: worker?.revocationSeq ?? null,
    reasons,
    denied: [],
  }
}
