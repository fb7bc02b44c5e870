/** The outcome of each release that was allowed. */
import { sha256, utf8 } from '../../../bytes.ts'
import type { Counts } from '../../entry.ts'
import { Newest } from '../bounded.ts'
import { CompactTable } from '../compactTable.ts'
import type { Context, Rule } from '../context.ts'
import type { Accepted, Decided, Life, WorkerEnd } from '../life.ts'
import type { AllowedRelease, ReleaseStatus, ReleaseStep } from '../report.ts'
import type { Letters, Subject } from './letters.ts'

const STATUS_OF_END: Readonly<Record<WorkerEnd['entry']['event'], ReleaseStatus>> = {
  'result.visible': 'visible',
  'result.superseded': 'superseded',
  'result.foreign': 'foreign',
  'job.failed': 'failed',
  'job.returned': 'returned',
  'job.dead-lettered': 'dead-lettered',
}

/** Releases without an end wait for the end of the audit: another may finish their work. */
const MAX_UNFINISHED = 16_384

/** From the JWE of `result.intent`. */
export type OpenCounts = (counts: string) => Counts | undefined

type AllowedOptions = {
  readonly rows: number
  readonly onRelease: ((release: AllowedRelease) => void) | undefined
  readonly openCounts: OpenCounts | undefined
}

type Outcome = {
  readonly release: AllowedRelease
  readonly subject: Subject
  /** The key of its work. */
  readonly work: Buffer
  /** Of the first receipt. */
  readonly receivedAt: number | null
}

export class Allowed {
  readonly #context: Context
  readonly #letters: Letters
  readonly #options: AllowedOptions
  readonly #newest: Newest<Outcome>
  #unfinished: Outcome[] = []
  // By work: the release that led to a result.
  readonly #finished = new CompactTable(16, 16)

  constructor(context: Context, letters: Letters, options: AllowedOptions) {
    this.#context = context
    this.#letters = letters
    this.#options = options
    this.#newest = new Newest(options.rows, ({ release }) => release.time)
  }

  get rule(): Rule {
    return { life: (life) => this.#add(life), end: () => this.#settle() }
  }

  get count(): number {
    return this.#newest.count
  }

  get rows(): readonly AllowedRelease[] {
    return this.#newest.rows.map(({ release, subject, work }) => ({
      ...release,
      finishedBy: isUnfinished(release) ? this.#finishedBy(work) : null,
      setAside: this.#letters.isSetAside(subject),
    }))
  }

  async #add(life: Life): Promise<void> {
    const [decided] = life.decided
    // Without the entry on its worker, which is a finding, no one can say to whom it was.
    if (decided?.accepted === undefined) return
    const status = await statusOf(life, this.#context)
    const counts = countsOf(life, status, this.#options.openCounts)
    const outcome = outcomeOf(decided, decided.accepted, life, { ...status, counts })
    const { releaseId } = outcome.release
    this.#options.onRelease?.(outcome.release)
    this.#newest.add(outcome)
    const finished = this.#finished.find(outcome.work)
    if (status.status === 'visible' || (status.status === 'superseded' && finished === -1)) {
      const { row } = this.#finished.add(outcome.work)
      this.#finished.valueOf(row).write(releaseId, 'hex')
    }
    if (!isUnfinished(outcome.release)) return
    this.#unfinished.push(outcome)
    if (this.#unfinished.length > MAX_UNFINISHED) this.#settle()
  }

  #finishedBy(work: Buffer): string | null {
    const row = this.#finished.find(work)
    return row === -1 ? null : this.#finished.valueOf(row).toString('hex')
  }

  /**
   * A worker that died leaves a release without an end. That is no finding if another release of the same work
   * led to a result or the job was set aside, and the worker's log does not claim to be complete.
   */
  #settle(): void {
    const { logs, findings } = this.#context
    for (const { release, subject, work, receivedAt } of this.#unfinished) {
      const { releaseId, boot, status } = release
      const find = findings.at({ boot, index: receivedAt }, `release ${releaseId}`)
      if (status === 'abandoned' && logs.get(boot)?.isClosed === true)
        find('release.abandoned', `${boot} closed its log without an end of it`)
      else if (this.#finishedBy(work) === null && !this.#letters.isSetAside(subject) && !logs.isMissing(boot))
        find(
          'release.abandoned',
          status === 'abandoned'
            ? `${boot} received its key, and no release of the same objects has an end`
            : `it was issued, ${boot} did not acknowledge it, and no other release of its objects has an end`,
        )
    }
    this.#unfinished = []
  }
}

function isUnfinished({ status }: AllowedRelease): boolean {
  return status === 'abandoned' || status === 'undelivered'
}

function outcomeOf(
  { boot: log, index, entry }: Decided,
  { boot, client, purpose, reference, assurance, policySeq }: Accepted,
  life: Life,
  status: Status & Pick<AllowedRelease, 'counts'>,
): Outcome {
  const { receipts } = life
  const { releaseId, time, permission, dataset, disclosure, headerDigests, traceparent } = entry
  return {
    release: {
      kind: 'allowed',
      releaseId,
      traceparent,
      time,
      log,
      index,
      boot,
      client,
      purpose,
      permission,
      dataset,
      objects: headerDigests.length,
      reference,
      assurance,
      disclosure,
      policySeq,
      ...status,
      finishedBy: null,
      setAside: false,
      steps: stepsOf(life),
    },
    subject: { jobIds: receipts.map(({ received }) => received.entry.jobId), headerDigests, traceparent },
    work: sha256(utf8([dataset, permission, ...headerDigests].join())).subarray(0, 16),
    receivedAt: receipts[0]?.received.index ?? null,
  }
}

function stepsOf({ decided, ends, interruptions, receipts }: Life): ReleaseStep[] {
  const used = receipts.flatMap(({ received, intents, ends: last }) => [received, ...intents, ...last])
  return [...decided, ...ends, ...interruptions, ...used].map(({ boot: log, index, entry }) => ({
    event: entry.event,
    time: entry.time,
    log,
    index,
  }))
}

/** Of the intent that became the result. Work that another release finished counts there. */
function countsOf(
  { receipts }: Life,
  { status, resultId }: Status,
  open: OpenCounts | undefined,
): Counts | null {
  if (status !== 'visible' || open === undefined) return null
  const intents = receipts.flatMap((receipt) => receipt.intents)
  const made = intents.findLast(({ entry }) => entry.resultId === resultId)
  return (made && open(made.entry.counts)) ?? null
}

type Status = Pick<AllowedRelease, 'status' | 'code' | 'resultId'>

/**
 * The worker's log decides first. Its manifest is next, since a worker may die before it logs the result. The
 * Verifier's log is last.
 */
async function statusOf(
  { releaseId, ends, interruptions, receipts: [receipt] }: Life,
  { manifests }: Context,
): Promise<Status> {
  const resultId = receipt?.intents.at(-1)?.entry.resultId ?? null
  const none = { code: null, resultId }
  // A failure comes before what became of the job.
  const end = receipt?.ends.find(({ entry }) => 'resultId' in entry) ?? receipt?.ends.at(-1)
  if (end !== undefined) {
    const { entry } = end
    return {
      status: STATUS_OF_END[entry.event],
      code: 'code' in entry ? entry.code : null,
      resultId: 'resultId' in entry ? entry.resultId : resultId,
    }
  }
  if (resultId !== null && (await manifests.get(resultId))?.manifest.releaseId === releaseId)
    return { ...none, status: 'visible' }
  if (receipt !== undefined) return { ...none, status: 'abandoned' }
  const [issued] = ends
  if (issued === undefined) return { ...none, status: interruptions.length === 0 ? 'unended' : 'interrupted' }
  return issued.entry.event === 'release.failed'
    ? { ...none, status: 'withheld', code: issued.entry.code }
    : { ...none, status: 'undelivered' }
}
