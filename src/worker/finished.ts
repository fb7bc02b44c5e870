/**
 * The jobs that have their result. A worker looks here before it takes a job up, and again before it puts the
 * job back or sets it aside.
 *
 * Crash argument. `done/<jobId>` is written after the manifest: if we stop between the two, the next worker is
 * granted the key again and finds the manifest. If only the lease is lost between the two, this boot remembers.
 */
import { utf8 } from '#core/bytes.ts'
import { doneName } from '#core/job/attempt.ts'
import { createIfAbsent } from '#ports/createOnce.ts'
import { findResultId } from '#ports/jobState.ts'
import type { Boot } from './boot.ts'

export class FinishedJobs {
  readonly #boot: Pick<Boot, 'store' | 'buckets'>
  // Result ids by job. Invariant: their manifests are durable, and `done` may be absent.
  readonly #unwritten = new Map<string, string>()

  constructor(boot: Pick<Boot, 'store' | 'buckets'>) {
    this.#boot = boot
  }

  /** The id of the job's result; undefined if it has none that can be seen. */
  async find(jobId: string, signal: AbortSignal): Promise<string | undefined> {
    return this.#unwritten.get(jobId) ?? (await findResultId(jobId, this.#boot, signal))
  }

  /** Writes that the job has its result: a later delivery then ends without an attempt and without a key. */
  async record(jobId: string, resultId: string, signal: AbortSignal): Promise<void> {
    const { store, buckets } = this.#boot
    this.#unwritten.set(jobId, resultId)
    await createIfAbsent(store, { ...buckets.state, name: doneName(jobId) }, utf8(resultId), signal)
    this.#unwritten.delete(jobId)
  }
}
