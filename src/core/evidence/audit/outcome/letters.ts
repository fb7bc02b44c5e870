/** The jobs that workers set aside, and the results that their objects have by now. */
import { BoundedMap } from '../bounded.ts'
import { CompactTable, IdSet } from '../compactTable.ts'
import type { Context, Rule } from '../context.ts'
import type { Life } from '../life.ts'
import type { Logged } from '../log/log.ts'
import type { SetAsideJob } from '../report.ts'

type Letter = Logged<'job.dead-lettered'>

/** In the report, each by its newest letter. */
const MAX_LETTERS = 1000

/** What ties a release to a job that was set aside. */
export type Subject = {
  readonly jobIds: readonly string[]
  readonly headerDigests: readonly string[]
  readonly traceparent: string
}

export class Letters {
  readonly #context: Context
  readonly #newest = new BoundedMap<string, Letter>(MAX_LETTERS)
  // Also of letters that are not reported any more.
  readonly #jobs = new IdSet(16)
  readonly #objects = new CompactTable(32, 0)
  /** Of jobs whose objects could not be read. */
  readonly #traces = new IdSet(24)
  // The number of the result of a job or an object; 16 bytes of a digest are enough to know it again.
  readonly #resultOfJob = new CompactTable(16, 4)
  readonly #resultOfObject = new CompactTable(16, 4)

  constructor(context: Context) {
    this.#context = context
  }

  get rule(): Rule {
    return {
      entry: (logged) => {
        const { entry } = logged
        if (entry.event === 'job.dead-lettered') this.#add({ ...logged, entry })
      },
      life: (life) => this.#noteResults(life),
    }
  }

  #add(letter: Letter): void {
    const { jobId, time, headerDigests, traceparent } = letter.entry
    if (time >= (this.#newest.get(jobId)?.entry.time ?? 0)) {
      this.#newest.delete(jobId)
      this.#newest.set(jobId, letter)
    }
    this.#jobs.add(jobId)
    for (const digest of headerDigests) this.#objects.add(Buffer.from(digest, 'base64url'))
    if (headerDigests.length === 0 && traceparent !== null) this.#traces.add(traceIdOf(traceparent))
  }

  /**
   * A worker that died may not have logged the receipt, which names the job; the objects tie the two together,
   * and the trace if the object was gone before another worker could read its header.
   */
  isSetAside({ jobIds, headerDigests, traceparent }: Subject): boolean {
    return (
      jobIds.some((jobId) => this.#jobs.has(jobId)) ||
      headerDigests.every((digest) => this.#objects.find(Buffer.from(digest, 'base64url')) !== -1) ||
      this.#traces.has(traceIdOf(traceparent))
    )
  }

  async #noteResults({ releaseId, receipts }: Life): Promise<void> {
    const { manifests } = this.#context
    for (const { received, intents, ends } of receipts) {
      const named = [...intents, ...ends.filter(({ entry }) => entry.event === 'result.superseded')]
      for (const { entry } of named) {
        const present = 'resultId' in entry ? (await manifests.get(entry.resultId))?.manifest : undefined
        if (present === undefined) continue
        // An intent alone is no result: the manifest may be of another release.
        if (entry.event === 'result.superseded' || present.releaseId === releaseId)
          this.#note(this.#resultOfJob, Buffer.from(received.entry.jobId, 'hex'), present.resultId)
      }
    }
  }

  /** Each manifest of the collection. */
  noteObjects({
    resultId,
    headerDigests,
  }: {
    readonly resultId: string
    readonly headerDigests: readonly string[]
  }): void {
    for (const digest of headerDigests) this.#note(this.#resultOfObject, keyOf(digest), resultId)
  }

  #note(table: CompactTable, key: Buffer, resultId: string): void {
    table.valueOf(table.add(key).row).writeUInt32LE(this.#context.manifests.rowOf(resultId))
  }

  #resultIn(table: CompactTable, key: Buffer): string | null {
    const row = table.find(key)
    return row === -1 ? null : this.#context.manifests.idOf(table.valueOf(row).readUInt32LE())
  }

  get report(): readonly SetAsideJob[] {
    return [...this.#newest.values()]
      .map((letter) => {
        const { boot: log, index, entry } = letter
        const { jobId, time, code, attempts } = entry
        return { jobId, log, index, time, code, attempts, overtakenBy: this.#overtakenBy(letter) }
      })
      .sort((a, b) => a.time - b.time)
  }

  #overtakenBy({ entry: { jobId, headerDigests } }: Letter): string | null {
    const ofObjects = headerDigests.map((digest) => this.#resultIn(this.#resultOfObject, keyOf(digest)))
    const ofAll = ofObjects.every((resultId) => resultId !== null) ? (ofObjects[0] ?? null) : null
    return this.#resultIn(this.#resultOfJob, Buffer.from(jobId, 'hex')) ?? ofAll
  }
}

function keyOf(digest: string): Buffer {
  return Buffer.from(digest, 'base64url').subarray(0, 16)
}

/** The ids of a trace and its span. */
function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 35) + traceparent.slice(36, 52)
}
