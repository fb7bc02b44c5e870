/** Everything that the page counts, release by release, in memory that does not grow with their number. */
import type { ErrorCode } from '#core/errors.ts'
import type { AllowedRelease, RefusedRelease, ReleaseStatus } from '#core/evidence/audit/report.ts'
import { OverTime } from './overTime.ts'

/** One client's use of one dataset under one permission. */
export type Use = {
  readonly client: string
  readonly dataset: string
  readonly purpose: string
  readonly permission: string
  releases: number
  objects: number
  first: number
  last: number
  /** The newest policy that allowed it. */
  policySeq: number
  readonly statuses: Map<ReleaseStatus, number>
  readonly records: { read: number; kept: number; withheld: number }
  readonly withheld: Map<string, number>
  /** Results whose counts are open. */
  open: number
}

type RefusedTo = { readonly client: string | null; readonly purpose: string | null; count: number }

export class Totals {
  allowed = 0
  refused = 0
  disclosures = 0
  readonly overTime = new OverTime()
  readonly assurance = new Map<AllowedRelease['assurance'], number>()
  // Signed policies limit the names of clients, datasets, purposes and permissions.
  readonly #uses = new Map<string, Use>()
  readonly #refusedTo = new Map<string, RefusedTo>()
  /** Of refused requests, by each reason's code. One request may have several. */
  readonly reasons = new Map<ErrorCode, number>()

  add(release: AllowedRelease | RefusedRelease): void {
    this.overTime.add(release.time, release.kind)
    if (release.kind === 'refused') this.#addRefused(release)
    else this.#addAllowed(release)
  }

  get uses(): readonly Use[] {
    return [...this.#uses.values()]
  }

  /** Refused requests by client and purpose; null is unknown. */
  get refusedTo(): readonly RefusedTo[] {
    return [...this.#refusedTo.values()]
  }

  #addRefused({ client, purpose, reasons }: RefusedRelease): void {
    this.refused += 1
    for (const code of new Set(reasons.map((reason) => reason.code))) add(this.reasons, code)
    rowOf(this.#refusedTo, [client, purpose], () => ({ client, purpose, count: 0 })).count += 1
  }

  #addAllowed(release: AllowedRelease): void {
    this.allowed += 1
    if (release.disclosure) this.disclosures += 1
    add(this.assurance, release.assurance)
    const { client, dataset, purpose, permission, time } = release
    const use = rowOf(this.#uses, [client, dataset, purpose, permission], () => ({
      ...{ client, dataset, purpose, permission },
      ...{ releases: 0, objects: 0, first: time, last: time, policySeq: 0, open: 0 },
      statuses: new Map(),
      records: { read: 0, kept: 0, withheld: 0 },
      withheld: new Map(),
    }))
    use.releases += 1
    use.objects += release.objects
    use.first = Math.min(use.first, time)
    use.last = Math.max(use.last, time)
    use.policySeq = Math.max(use.policySeq, release.policySeq)
    add(use.statuses, release.status)
    addCounts(use, release.counts)
  }
}

function addCounts(use: Use, counts: AllowedRelease['counts']): void {
  if (counts === null) return
  const { records, withheld } = use
  use.open += 1
  records.read += counts.read
  for (const count of Object.values(counts.kept)) records.kept += count
  for (const [reason, count] of Object.entries(counts.withheld)) {
    records.withheld += count
    add(withheld, reason, count)
  }
}

function rowOf<Value>(map: Map<string, Value>, names: readonly unknown[], make: () => Value): Value {
  const key = JSON.stringify(names)
  const known = map.get(key) ?? make()
  map.set(key, known)
  return known
}

function add<Key>(counts: Map<Key, number>, key: Key, count = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + count)
}

/** The largest first. */
export function largest<Key>(counts: ReadonlyMap<Key, number>): [Key, number][] {
  return [...counts].sort(([, a], [, b]) => b - a)
}
