/** The two ways in which a mutant is tried: vectors in a thread, then unit tests in a process. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Mutant } from './mutant.ts'

/** Of processor time, so that a busy machine is no reason: a mutant that takes more does not end, which is noticed too. */
const VECTORS_MS = 20_000
/** Every mutant leaves a copy of the program behind in its thread. */
const MUTANTS_A_THREAD = 50

/** Tries the vectors in a thread of its own. */
export class VectorThread {
  readonly #root: string
  #worker: Worker | undefined
  #tried = 0

  constructor(root: string) {
    this.#root = root
  }

  /** The vector that noticed; undefined where none did. Without a mutant: the vector that is wrong as things are. */
  async try(mutant: Mutant | undefined): Promise<string | undefined> {
    if (this.#tried >= MUTANTS_A_THREAD) await this.end()
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
        ({ user }) => (user > VECTORS_MS * 1000 ? lose('it does not end') : undefined),
        () => lose('its thread ends'),
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
    // Out of memory, it says so after it has ended, and nobody is waiting any more.
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

/** The test that failed; undefined where none did. */
export async function runUnits(
  root: string,
  mutant: Mutant | undefined,
  files: readonly string[],
): Promise<string | undefined> {
  const path = mutant === undefined ? root : join(root, mutant.file)
  const job = JSON.stringify({ path, change: mutant, files: files.map((file) => join(root, file)) })
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>()
  const child = spawn(process.execPath, [join(root, 'test/mutation/unitRun.ts'), job], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let said = ''
  child.stdout.on('data', (chunk) => {
    said += chunk
  })
  child.once('error', reject)
  child.once('close', (code, signal) =>
    resolve(code === 0 ? undefined : said.trim() || (signal ?? 'it does not load')),
  )
  return await promise
}
