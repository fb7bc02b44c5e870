/** Threads that try one mutant after another. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Mutant } from './mutant.ts'
import type { UnitJob, UnitReport } from './unitWorker.ts'

/**
 * A new thread is started after this number, since every mutant leaves a copy of the program in its thread.
 */
const MUTANTS_PER_THREAD = 50

/** A thread that is started when it is needed, and again after it was lost. `Said` is what it reports. */
class MutantThread<Job, Said> {
  readonly #script: string
  readonly #root: string
  #worker: Worker | undefined
  #tried = 0

  constructor(script: string, root: string) {
    this.#script = script
    this.#root = root
  }

  /**
   * Gives the thread a job, and what it reports to `onSaid`, which returns a result for the last report. A limit
   * of processor time does not depend on the load of the machine; it holds from one report to the next.
   */
  async run<Result>(
    job: Job,
    limitMs: () => number,
    onSaid: (said: Said, milliseconds: number) => Result | undefined,
    onLost: (why: string) => Result,
  ): Promise<Result> {
    if (this.#tried >= MUTANTS_PER_THREAD) await this.end()
    const worker = this.#worker ?? (await this.#start())
    this.#tried += 1
    const { promise, resolve } = Promise.withResolvers<Result>()
    let isLost = false
    const lose = (why: string) => {
      isLost = true
      resolve(onLost(why))
    }
    let before = await worker.cpuUsage()
    const timer = setInterval(() => {
      worker.cpuUsage(before).then(
        ({ user }) => (user > limitMs() * 1000 ? lose('does not end') : undefined),
        () => lose('the thread has ended'),
      )
    }, 1000)
    const died = ({ message }: Error) => lose(message)
    const heard = async (said: Said) => {
      const now = await worker.cpuUsage()
      const result = onSaid(said, (now.user - before.user) / 1000)
      before = now
      if (result !== undefined) resolve(result)
    }
    worker.once('error', died)
    worker.on('message', heard)
    worker.postMessage(job)
    const result = await promise
    clearInterval(timer)
    worker.off('message', heard)
    worker.off('error', died)
    if (isLost) await this.end()
    return result
  }

  async #start(): Promise<Worker> {
    this.#worker = new Worker(new URL(this.#script, import.meta.url), {
      workerData: { root: this.#root },
      resourceLimits: { maxOldGenerationSizeMb: 2048 },
    })
    // A thread that is out of memory reports it after its end, when nothing listens any more.
    this.#worker.on('error', () => {})
    await once(this.#worker, 'online')
    return this.#worker
  }

  async end(): Promise<void> {
    await this.#worker?.terminate()
    this.#worker = undefined
    this.#tried = 0
  }
}

/** A mutant that exceeds it counts as noticed. */
const VECTORS_MS = 20_000

/** Runs the vectors. */
export class VectorThread {
  readonly #thread: MutantThread<Mutant | undefined, { readonly by: string | undefined }>

  constructor(root: string) {
    this.#thread = new MutantThread('./vectorWorker.ts', root)
  }

  /**
   * The vector that noticed the mutant; undefined if none did. Without a mutant, a vector that fails on the
   * unchanged source.
   */
  async try(mutant: Mutant | undefined): Promise<string | undefined> {
    const lost = (by: string) => ({ by })
    const { by } = await this.#thread.run(
      mutant,
      () => VECTORS_MS,
      (said) => said,
      lost,
    )
    return by
  }

  end(): Promise<void> {
    return this.#thread.end()
  }
}

/** The limit of a test file: some times its own time, if that is known, and the time to load it. */
const LEAST_MS = 5_000
const TIMES = 3
const UNKNOWN_MS = 5_000

/** Processor time of each test file on the unchanged source. */
const usual = new Map<string, number>()

export type Red = { readonly name: string; readonly file: string }

/** Runs test files. */
export class UnitThread {
  readonly #thread: MutantThread<UnitJob, UnitReport>

  constructor(root: string) {
    this.#thread = new MutantThread('./unitWorker.ts', root)
  }

  /**
   * The first test that fails; undefined if none does. Without a mutant, one that fails on the unchanged source.
   * Then it also measures the files.
   */
  async try(mutant: Mutant | undefined, files: readonly string[]): Promise<Red | undefined> {
    let file = files[0] ?? ''
    const limit = () =>
      mutant === undefined ? Number.POSITIVE_INFINITY : LEAST_MS + TIMES * (usual.get(file) ?? UNKNOWN_MS)
    const { red } = await this.#thread.run<{ readonly red: Red | undefined }>(
      { mutant, files },
      limit,
      (said, milliseconds) => {
        if (mutant === undefined) usual.set(file, milliseconds)
        if (said.kind === 'done') return { red: said.red }
        file = said.file
        return undefined
      },
      (name) => ({ red: { name, file } }),
    )
    return red
  }

  end(): Promise<void> {
    return this.#thread.end()
  }
}
