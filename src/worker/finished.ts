/**
 * The jobs that have their result, as `done/<jobId>` and the manifest tell. A worker looks here before it takes
 * a job up, and again before it puts the job back or sets it aside.
 *
 * Crash argument. `done/<jobId>` is written after the manifest: if we stop between the two, the next worker is
 * granted the key again and finds the manifest. If only the lease is lost between the two, this boot remembers.
 */
import { utf8 } from '#core/bytes.ts'
import { codeOf } from '#core/errors.ts'
import { doneName } from '#core/job/attempt.ts'
import { manifestName } from '#core/sealed/manifest.ts'
import { createIfAbsent } from '#ports/createOnce.ts'
import type { Boot } from './boot.ts'
import { readStateText } from './stateText.ts'

/** One more than a result id has: a longer text is none. */
const DONE_BYTES = 65
const RESULT_ID = /^[0-9a-f]{64}$/

export class FinishedJobs {
  readonly #boot: Pick<Boot, 'store' | 'buckets'>
  // Result ids by job. Invariant: their manifests are durable, and `done` may be absent.
  readonly #unwritten = new Map<string, string>()

  constructor(boot: Pick<Boot, 'store' | 'buckets'>) {
    this.#boot = boot
  }

  /** The id of the job's result; undefined if it has none that can be seen. */
  async find(jobId: string, signal: AbortSignal): Promise<string | undefined> {
    const { store, buckets } = this.#boot
    const known = this.#unwritten.get(jobId)
    if (known !== undefined) return known
    const resultId = await readStateText(this.#boot, doneName(jobId), DONE_BYTES, signal)
    if (resultId === undefined || !RESULT_ID.test(resultId)) return undefined
    try {
      await store.head({ ...buckets.results, name: manifestName(resultId) }, undefined, signal)
      return resultId
    } catch (error) {
      if (codeOf(error) === 'service.missing') return undefined
      throw error
    }
  }

  /** Writes that the job has its result: a later delivery then ends without an attempt and without a key. */
  async record(jobId: string, resultId: string, signal: AbortSignal): Promise<void> {
    const { store, buckets } = this.#boot
    this.#unwritten.set(jobId, resultId)
    await createIfAbsent(store, { ...buckets.state, name: doneName(jobId) }, utf8(resultId), signal)
    this.#unwritten.delete(jobId)
  }
}
