/** The life of a release in all logs: the Verifier's decision and its end, then the worker's entries in order. */
import type { ResultManifest } from '../../sealed/manifest.ts'
import type { Entry } from '../entry.ts'
import type { Logged } from './log/log.ts'

/** The entries of a worker that end its part in a release. */
export type WorkerEnd = Logged<
  | 'result.visible'
  | 'result.superseded'
  | 'result.foreign'
  | 'job.failed'
  | 'job.returned'
  | 'job.dead-lettered'
>

/** The entries that name the digest of a manifest. */
export type Sighting = Logged<'result.visible' | 'result.superseded' | 'result.foreign'>

/** A key that a worker received, and what its log says afterwards. */
export type Receipt = {
  readonly received: Logged<'key.received'>
  readonly intents: Logged<'result.intent'>[]
  readonly ends: WorkerEnd[]
}

/** What the Verifier's log says of the worker whose request an entry is about; undefined if that is lost. */
type OfWorker = { readonly accepted: Accepted | undefined }
export type Accepted = Extract<Entry, { event: 'worker.accepted' }>
export type Decided = Logged<'release.decided'> & OfWorker
export type RefusedJobs = Logged<'release.refused'> & OfWorker

export type Life = {
  readonly releaseId: string
  readonly decided: Decided[]
  readonly ends: Logged<'release.issued' | 'release.failed'>[]
  /** What later boots of the Verifier say of it. Two replicas may both say it. */
  readonly interruptions: Logged<'release.interrupted'>[]
  readonly receipts: Receipt[]
}

/** True if no honest log says anything more about it, but for what becomes of its job. */
export function isComplete({ decided, ends: [end], interruptions, receipts: [receipt] }: Life): boolean {
  // An interruption is compared with the end of the log that it is about.
  if (decided.length === 0 || end === undefined || interruptions.length > 0) return false
  return end.entry.event === 'release.failed' || (receipt?.ends.length ?? 0) > 0
}

export function isSighting(end: WorkerEnd): end is Sighting {
  return 'resultId' in end.entry
}

/** The entry that announces a result. */
export function intentOf({ boot, intentIndex }: ResultManifest, life: Life | undefined) {
  const intents = life?.receipts.flatMap((receipt) => receipt.intents)
  return intents?.find((one) => one.boot === boot && one.index === intentIndex)?.entry
}
