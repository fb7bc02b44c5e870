/** Runs the tasks of an audit in threads, so that signatures are verified while the next objects are read. */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { type Compute, computeHere } from '#core/evidence/audit/tasks.ts'
import type { Answered, Asked } from './computeThread.ts'

/** The main thread reads and joins; more threads than this wait for it. */
const MAX_THREADS = 4
/** A thread holds the tasks that it was sent, and little else. */
const HEAP_MIB = 64

/** A small collection is read before a thread has started. */
const FIRST_HERE = 4

export type ComputeThreads = { readonly compute: Compute; readonly close: () => Promise<void> }

export function openComputeThreads(
  count = Math.min(MAX_THREADS, Math.max(1, availableParallelism() - 1)),
): ComputeThreads {
  const threads: Thread[] = []
  let asked = 0
  const compute: Compute = async (name, task) => {
    asked += 1
    if (asked <= FIRST_HERE) return await computeHere(name, task)
    while (threads.length < count) threads.push(new Thread())
    const idlest = threads.reduce((one, other) => (other.waiting < one.waiting ? other : one))
    return await idlest.ask(name, task)
  }
  const close = async () => {
    await Promise.all(threads.map((thread) => thread.close()))
  }
  return { compute, close }
}

class Thread {
  readonly #worker = new Worker(new URL('./computeThread.ts', import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB, maxYoungGenerationSizeMb: 8 },
  })
  readonly #asked = new Map<number, PromiseWithResolvers<never>>()
  #next = 0

  constructor() {
    this.#worker.on('message', ({ id, result, fault }: Answered) => {
      const asked = this.#asked.get(id)
      this.#asked.delete(id)
      // The thread ran the task of this number, whose result has this type.
      if (fault === undefined) asked?.resolve(result as never)
      else asked?.reject(fault)
    })
    this.#worker.on('error', (error) => {
      for (const asked of this.#asked.values()) asked.reject(error)
      this.#asked.clear()
    })
  }

  get waiting(): number {
    return this.#asked.size
  }

  ask(name: Asked['name'], task: unknown): Promise<never> {
    const asked = Promise.withResolvers<never>()
    const id = this.#next++
    this.#asked.set(id, asked)
    this.#worker.postMessage({ id, name, task } satisfies Asked)
    return asked.promise
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}
