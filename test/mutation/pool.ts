/** The two ways to try a mutant: the vectors in a thread, then the unit tests in a process. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Mutant } from './mutant.ts'

/**
 * Limit of processor time, which does not depend on the load of the machine. A mutant that exceeds it counts
 * as noticed.
 */
const VECTORS_MS = 20_000
/**
 * A new thread is started after this number, since every mutant leaves a copy of the program in its thread.
 */
const MUTANTS_PER_THREAD = 50

/** Runs the vectors on mutants in a separate thread. */
export class VectorThread {
  readonly #root: string
  #worker: Worker | undefined
  #tried = 0

  constructor(root: string) {
    this.#root = root
  }

  /**
   * The vector that noticed the mutant; undefined if none did. Without a mutant, a vector that fails on the
   * unchanged source.
   */
  async try(mutant: Mutant | undefined): Promise<string | undefined> {
    if (this.#tried >= MUTANTS_PER_THREAD) await this.end()
    const worker = this.#worker ?? (await this.#start())
    this.#tried += 1
    const { promise, resolve } = Promise.withResolvers<string | undefined>()
    let isLost = false
    const lose = (why: string) => {
      isLost = true
      resolve(why)
    }
    const before = await worker.cpuUsage()
    const timer = setInterval(() => {
      worker.cpuUsage(before).then(
        ({ user }) => (user > VECTORS_MS * 1000 ? lose('the vectors do not end') : undefined),
        () => lose('the thread has ended'),
      )
    }, 1000)
    const died = ({ message }: Error) => lose(message)
    worker.once('error', died)
    worker.once('message', resolve)
    worker.postMessage(mutant)
    const by = await promise
    clearInterval(timer)
    worker.off('message', resolve)
    worker.off('error', died)
    if (isLost) await this.end()
    return by
  }

  async #start(): Promise<Worker> {
    this.#worker = new Worker(new URL('./vectorWorker.ts', import.meta.url), {
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

export type UnitRun = {
  /** The test that failed; undefined if none did. */
  readonly failed: string | undefined
  /** Processor time of a run without a failure. */
  readonly milliseconds: number
}

/** Runs test files on a mutant, or on the unchanged source. A run beyond `limitMs` counts as a failure. */
export async function runUnits(
  root: string,
  mutant: Mutant | undefined,
  files: readonly string[],
  limitMs: number,
): Promise<UnitRun> {
  const path = mutant === undefined ? root : join(root, mutant.file)
  const job = JSON.stringify({ path, change: mutant, files: files.map((file) => join(root, file)), limitMs })
  const { promise, resolve, reject } = Promise.withResolvers<UnitRun>()
  const child = spawn(process.execPath, [join(root, 'test/mutation/unitRun.ts'), job], {
    cwd: root,
    // Halves the time of a short run.
    env: { ...process.env, NODE_COMPILE_CACHE: join(root, 'compiled') },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let said = ''
  child.stdout.on('data', (chunk) => {
    said += chunk
  })
  child.once('error', reject)
  child.once('close', (code, signal) => {
    const last = said.trim().split('\n').at(-1) ?? ''
    const failed = code === 0 ? undefined : last || (signal ?? 'the mutant does not load')
    resolve({ failed, milliseconds: code === 0 ? Number(last) : Number.NaN })
  })
  return await promise
}
