/** A worker thread that runs one target on its inputs and reports the results to the campaign. */
import { performance } from 'node:perf_hooks'
import { inspect } from 'node:util'
import { parentPort, workerData } from 'node:worker_threads'
import type { ErrorCode } from '#core/errors.ts'
import { InputMemory } from './inputMemory.ts'
import { Random } from './random.ts'
import { answerTo, type FuzzAnswer, type Input, type OpenTarget, type Target } from './target.ts'

/**
 * The work of a thread. `progress` holds the index under test and the stage of work on it, `memory` the
 * input.
 */
export type Order = {
  /** URL of a module that exports `TARGETS`. */
  readonly module: string
  readonly target: string
  readonly seed: number
  readonly from: number
  readonly inputs: number
  readonly seconds: number
  readonly progress: Int32Array
  readonly memory: SharedArrayBuffer
}
export const PROGRESS = { index: 0, stage: 1 } as const
export const STAGE = { opening: 0, generating: 1, checking: 2, done: 3 } as const

export type Finding = {
  readonly index: number
  /** Equal for findings of the same fault. Only the first of them is kept. */
  readonly kind: string
  readonly detail: string
  readonly input: Input
}

export type Tally = {
  readonly inputs: number
  readonly seconds: number
  readonly accepted: number
  readonly refused: Readonly<Partial<Record<ErrorCode, number>>>
  /**
   * The number of different refusal messages without their numbers, a measure of the checks that were
   * reached.
   */
  readonly reasons: number
  readonly slowestMilliseconds: number
  readonly findings: readonly Finding[]
}

/** An input of at most 1 MiB that takes longer three times in a row is a finding. */
const SLOW_MILLISECONDS = 2000
const MAX_FINDINGS = 8

if (parentPort !== null) {
  // Only `campaign.ts` starts this thread.
  const order = workerData as Order
  const { TARGETS } = (await import(order.module)) as { readonly TARGETS: readonly Target[] }
  const target = TARGETS.find(({ name }) => name === order.target)
  if (target === undefined) throw new RangeError(`no target is called ${order.target}`)
  const opened = await target.open()
  parentPort.postMessage('opened')
  Error.stackTraceLimit = 0
  parentPort.postMessage(await run(order, target, opened))
}

async function run(order: Order, target: Target, opened: OpenTarget): Promise<Tally> {
  const { seed, from, inputs, seconds, progress } = order
  const memory = new InputMemory(order.memory)
  const refused: Partial<Record<ErrorCode, number>> = {}
  const reasons = new Set<string>()
  const findings = new Map<string, Finding>()
  let accepted = 0
  let slowest = 0
  let done = 0
  const start = performance.now()
  const note = (index: number, kind: string, detail: string, input: Input) => {
    if (findings.size < MAX_FINDINGS && !findings.has(kind))
      findings.set(kind, { index, kind, detail, input })
  }
  for (; done < inputs && performance.now() - start < seconds * 1000; done += 1) {
    const index = from + done
    Atomics.store(progress, PROGRESS.index, index)
    Atomics.store(progress, PROGRESS.stage, STAGE.generating)
    const input = opened.generate(new Random(seed, target.name, index))
    memory.write(input)
    Atomics.store(progress, PROGRESS.stage, STAGE.checking)
    const begun = performance.now()
    const answer = await answerTo(input, opened, target)
    const milliseconds = performance.now() - begun
    slowest = Math.max(slowest, milliseconds)
    if (milliseconds > SLOW_MILLISECONDS && (await isSlow(input, opened, target)))
      note(index, 'slow', `takes more than ${SLOW_MILLISECONDS} ms`, input)
    switch (answer.kind) {
      case 'accepted':
        accepted += 1
        break
      case 'refused':
        refused[answer.code] = (refused[answer.code] ?? 0) + 1
        reasons.add(`${answer.code} ${withoutNumbers(answer.message)}`)
        break
      case 'finding':
        note(
          index,
          kindOf(answer),
          await traced(async () => detailOf(await answerTo(input, opened, target))),
          input,
        )
        break
    }
  }
  Atomics.store(progress, PROGRESS.stage, STAGE.done)
  return {
    inputs: done,
    seconds: (performance.now() - start) / 1000,
    accepted,
    refused,
    reasons: reasons.size,
    slowestMilliseconds: slowest,
    findings: [...findings.values()],
  }
}

/** True if the input is slow again, twice: the machine may have paused the thread the first time. */
async function isSlow(input: Input, opened: OpenTarget, target: Target): Promise<boolean> {
  for (let again = 0; again < 2; again += 1) {
    const begun = performance.now()
    await answerTo(input, opened, target)
    if (performance.now() - begun <= SLOW_MILLISECONDS) return false
  }
  return true
}

function kindOf({ error }: Extract<FuzzAnswer, { readonly kind: 'finding' }>): string {
  if (!(error instanceof Error)) return `a thrown ${typeof error}`
  const code = 'code' in error ? ` ${String(error.code)}` : ''
  return `${error.name}${code}: ${withoutNumbers(error.message)}`
}

function detailOf(answer: FuzzAnswer): string {
  if (answer.kind !== 'finding') return 'the same input had another answer the second time'
  const { error } = answer
  return error instanceof Error ? (error.stack ?? error.message) : inspect(error)
}

/** Calls with stack traces on. Traces take most of the time of a refusal, and only a finding needs one. */
async function traced<T>(call: () => Promise<T>): Promise<T> {
  Error.stackTraceLimit = 20
  try {
    return await call()
  } finally {
    Error.stackTraceLimit = 0
  }
}

function withoutNumbers(message: string): string {
  return message
    .slice(0, 200)
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|0x[0-9a-f]+|[0-9a-f]{16,}|\d+/g, '#')
}
