/** The two ways in which a mutant is tried: vectors in a thread, then unit tests in a process. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Mutant } from './mutant.ts'

/** A mutant that takes longer does not end: that is noticed too. */
const VECTORS_MS = 60_000
const UNIT_MS = 120_000
/** Every mutant leaves a copy of the program behind in its thread. */
const MUTANTS_A_THREAD = 100

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
    this.#worker ??= new Worker(new URL('./vectorWorker.ts', import.meta.url), {
      workerData: { root: this.#root },
    })
    this.#tried += 1
    const worker = this.#worker
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>()
    const timer = setTimeout(() => resolve('it does not end'), VECTORS_MS)
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.postMessage(mutant)
    try {
      const by = await promise
      if (by === 'it does not end') await this.end()
      return by
    } finally {
      clearTimeout(timer)
      worker.removeAllListeners('message')
      worker.removeAllListeners('error')
    }
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
  const timer = setTimeout(() => child.kill('SIGKILL'), UNIT_MS)
  let said = ''
  child.stdout.on('data', (chunk) => {
    said += chunk
  })
  child.once('error', reject)
  child.once('close', (code, signal) =>
    resolve(code === 0 ? undefined : said.trim() || (signal ?? 'it does not load')),
  )
  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}
