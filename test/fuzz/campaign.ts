/** Runs a target in a thread, watches its progress and memory, and keeps the inputs of its findings. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { z } from 'zod'
import { INPUT_MEMORY_BYTES, InputMemory } from './inputMemory.ts'
import { type Finding, type Order, PROGRESS, STAGE, type Tally } from './loop.ts'
import type { Input, Target } from './target.ts'

export type Plan = Omit<Order, 'progress' | 'memory' | 'target'> & {
  /** The folder for the inputs of findings. */
  readonly folder: string
  /** Limit of processor time per input. */
  readonly hangSeconds: number
  /** Limit of the growth of the process. Inputs are small and none is kept, so larger growth is a leak. */
  readonly maxGrowthMib: number
  readonly onProgress?: (index: number) => void
}

export type FuzzReport = Omit<Tally, 'findings'> & {
  readonly target: string
  readonly seed: number
  /** Codes that the generator should have reached but did not. */
  readonly unmet: readonly string[]
  /** Memory of the whole process in MiB: when the target was ready, and the maximum since then. */
  readonly rss: { readonly start: number; readonly peak: number }
  readonly findings: readonly (Omit<Finding, 'input'> & { readonly file: string })[]
}

const WATCH_MILLISECONDS = 100

/**
 * A list of 1 MiB takes half a second and leaves some hundred MiB of garbage until its collection. A leak
 * exceeds every bound.
 */
export const USUAL_LIMITS = { hangSeconds: 10, maxGrowthMib: 1000 } as const

export async function fuzz(target: Target, plan: Plan): Promise<FuzzReport> {
  const { folder, hangSeconds, maxGrowthMib, onProgress, ...order } = plan
  const progress = new Int32Array(new SharedArrayBuffer(8))
  const memory = new SharedArrayBuffer(INPUT_MEMORY_BYTES)
  const worker = new Worker(new URL('./loop.ts', import.meta.url), {
    workerData: { ...order, target: target.name, progress, memory } satisfies Order,
  })
  const rss = { start: 0, peak: 0 }
  const watch = new Watch(progress, hangSeconds)
  const ended = new Promise<Tally>((resolve, reject) => {
    worker.on('message', (message: 'opened' | Tally) => {
      if (message === 'opened') rss.start = rss.peak = rssMib()
      else resolve(message)
    })
    worker.on('error', reject)
  })
  const timer = setInterval(() => {
    rss.peak = Math.max(rss.peak, rssMib())
    onProgress?.(Atomics.load(progress, PROGRESS.index))
    if (watch.hangs())
      worker.emit('error', new Stop('hang', `no answer after ${hangSeconds} s of processor time`))
    if (rss.start > 0 && rss.peak - rss.start > maxGrowthMib)
      worker.emit('error', new Stop('memory', `grown from ${rss.start} to ${rss.peak} MiB`))
  }, WATCH_MILLISECONDS)
  const tally = await ended
    .catch((error: unknown) => afterStop(error, order.from, progress, memory))
    .finally(() => {
      clearInterval(timer)
      return worker.terminate()
    })
  return {
    ...tally,
    target: target.name,
    seed: plan.seed,
    unmet: (target.reached ?? target.codes).filter((code) => tally.refused[code] === undefined),
    rss,
    findings: await Promise.all(tally.findings.map((finding) => keep(finding, target, plan))),
  }
}

/** The reason why the campaign ended the thread. */
class Stop extends Error {
  constructor(name: 'hang' | 'memory', message: string) {
    super(message)
    this.name = name
  }
}

/**
 * Detects an input that has been under test for too long. It counts processor time, and at most the interval
 * between two looks, since the whole machine may be overloaded or suspended.
 */
class Watch {
  readonly #progress: Int32Array
  readonly #limit: number
  #index = -1
  #last = process.cpuUsage()
  #milliseconds = 0

  constructor(progress: Int32Array, hangSeconds: number) {
    this.#progress = progress
    this.#limit = hangSeconds * 1000
  }

  hangs(): boolean {
    const index = Atomics.load(this.#progress, PROGRESS.index)
    const stage = Atomics.load(this.#progress, PROGRESS.stage)
    const { user, system } = process.cpuUsage(this.#last)
    this.#last = process.cpuUsage()
    const isNext = index !== this.#index || stage === STAGE.opening || stage === STAGE.done
    this.#index = index
    this.#milliseconds = isNext
      ? 0
      : this.#milliseconds + Math.min((user + system) / 1000, WATCH_MILLISECONDS)
    return this.#milliseconds > this.#limit
  }
}

/** The tally of a thread that died or was ended. The input under test at that time is the finding. */
function afterStop(error: unknown, from: number, progress: Int32Array, memory: SharedArrayBuffer): Tally {
  const index = Atomics.load(progress, PROGRESS.index)
  const isChecking = Atomics.load(progress, PROGRESS.stage) === STAGE.checking
  // An error between inputs is a fault of the generator; growth of memory is not.
  if (!isChecking && !(error instanceof Stop && error.name === 'memory')) throw error
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const kind = error instanceof Error ? error.name : 'stop'
  return {
    inputs: index - from + 1,
    seconds: 0,
    accepted: 0,
    refused: {},
    reasons: 0,
    slowestMilliseconds: 0,
    findings: [{ index, kind, detail, input: new InputMemory(memory).read() }],
  }
}

async function keep(
  { input, ...finding }: Finding,
  target: Target,
  { folder, seed }: Plan,
): Promise<FuzzReport['findings'][number]> {
  await mkdir(folder, { recursive: true })
  const file = join(folder, `${target.name}-${seed}-${finding.index}.json`)
  await writeFile(file, JSON.stringify(encodeInput(target.name, input), undefined, 2))
  return { ...finding, file }
}

/** The file of a finding. Each part of the input is in hex. */
const Kept = z.strictObject({ target: z.string(), input: z.array(z.string().regex(/^(?:[0-9a-f]{2})*$/)) })
type Kept = z.output<typeof Kept>

function encodeInput(target: string, input: Input): Kept {
  // From the thread comes a Uint8Array, whose toString() takes no encoding.
  return { target, input: input.map((bytes) => Buffer.from(bytes).toString('hex')) }
}

/** Reads the file of a finding. Throws if it is not one. */
export function decodeInput(text: string): { readonly target: string; readonly input: Input } {
  const { target, input } = Kept.parse(JSON.parse(text))
  return { target, input: input.map((hex) => Buffer.from(hex, 'hex')) }
}

function rssMib(): number {
  return Math.round(process.memoryUsage.rss() / 2 ** 20)
}
