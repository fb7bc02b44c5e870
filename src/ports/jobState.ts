/** What the buckets of a pool tell about a job, through the object store. Only names and short texts. */
import { codeOf } from '#core/errors.ts'
import { doneName, retriesPrefix, roundInForce } from '#core/job/attempt.ts'
import { manifestName } from '#core/sealed/manifest.ts'
import type { ObjectRef, ObjectStore } from './objectStore.ts'

type Bucket = Omit<ObjectRef, 'name'>

export type JobState = {
  readonly store: Pick<ObjectStore, 'read' | 'head' | 'list'>
  readonly buckets: { readonly state: Bucket; readonly results: Bucket }
}

/** One more than a result id has: a longer text is none. */
const DONE_BYTES = 65
const RESULT_ID = /^[0-9a-f]{64}$/

/** The id of the job's result, if `done/<jobId>` names one and its manifest is there. */
export async function findResultId(
  jobId: string,
  state: JobState,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { store, buckets } = state
  const resultId = await readStateText(state, doneName(jobId), DONE_BYTES, signal)
  if (resultId === undefined || !RESULT_ID.test(resultId)) return undefined
  try {
    await store.head({ ...buckets.results, name: manifestName(resultId) }, undefined, signal)
    return resultId
  } catch (error) {
    if (codeOf(error) === 'service.missing') return undefined
    throw error
  }
}

/** The round of attempts in force. */
export async function findRound(jobId: string, state: JobState, signal: AbortSignal): Promise<number> {
  return roundInForce(jobId, await namesUnder(retriesPrefix(jobId), state, signal))
}

/** The names in the state bucket that begin with `prefix`. */
export async function namesUnder(
  prefix: string,
  { store, buckets }: JobState,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const names = new Set<string>()
  for await (const { name } of store.list(buckets.state, prefix, undefined, signal)) names.add(name)
  return names
}

/** At most `maxBytes` of the object's beginning; undefined if there is no such object. */
export async function readStateText(
  { store, buckets }: JobState,
  name: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const range = { start: 0, end: maxBytes - 1 }
    const bytes = await store.read({ ...buckets.state, name }, range, undefined, signal)
    // Latin-1 takes any byte: what is no text of ours is ignored by its reader, and sets no job aside.
    return bytes.toString('latin1')
  } catch (error) {
    if (codeOf(error) === 'service.missing') return undefined
    throw error
  }
}
