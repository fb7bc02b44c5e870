/** A worker thread: gives one target its inputs, and tells the campaign what came of them. */
import { performance } from 'node:perf_hooks'
import { inspect } from 'node:util'
import { parentPort, workerData } from 'node:worker_threads'
import type { ErrorCode } from '#core/errors.ts'
import { Random } from './random.ts'
import { Slate } from './slate.ts'
import { type Answer, answerTo, type Input, type Subject, type Target } from './target.ts'

/** `progress` holds the index under test and which half of the work on it is being done, `slate` the input. */
export type Order = {
  /** URL of a module that exports `TARGETS`. */
  readonly module: string
  readonly target: string
  readonly seed: number
  readonly from: number
  readonly inputs: number
  readonly seconds: number
  readonly progress: Int32Array
  readonly slate: SharedArrayBuffer
}
export const PROGRESS = { index: 0, stage: 1 } as const
export const STAGE = { opening: 0, generating: 1, checking: 2, done: 3 } as const

export type Finding = {
  readonly index: number
  /** What is the same for the same fault: of many alike, the first is kept. */
  readonly kind: string
  readonly detail: string
  readonly input: Input
}

export type Tally = {
  readonly inputs: number
  readonly seconds: number
  readonly accepted: number
  readonly refused: Readonly<Partial<Record<ErrorCode, number>>>
  /** Different texts of refusals, numbers apart: how many checks were met. */
  readonly reasons: number
  readonly slowestMilliseconds: number
  readonly findings: readonly Finding[]
}

/** An input of at most a MiB that takes longer, three times out of three, is a finding. */
const SLOW_MILLISECONDS = 2000
const MAX_FINDINGS = 8

if (parentPort !== null) {
  // Given by `campaign.ts` alone.
  const order = workerData as Order
  const { TARGETS } = (await import(order.module)) as { readonly TARGETS: readonly Target[] }
  const target = TARGETS.find(({ name }) => name === order.target)
  if (target === undefined) throw new RangeError(`no target is called ${order.target}`)
  const subject = await target.open()
  parentPort.postMessage('opened')
  Error.stackTraceLimit = 0
  parentPort.postMessage(run(order, target, subject))
}

function run(order: Order, target: Target, subject: Subject): Tally {
  const { seed, from, inputs, seconds, progress } = order
  const slate = new Slate(order.slate)
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
    const input = subject.generate(new Random(seed, target.name, index))
    slate.write(input)
    Atomics.store(progress, PROGRESS.stage, STAGE.checking)
    const begun = performance.now()
    const answer = answerTo(input, subject, target)
    const milliseconds = performance.now() - begun
    slowest = Math.max(slowest, milliseconds)
    if (milliseconds > SLOW_MILLISECONDS && isSlow(input, subject, target))
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
          traced(() => detailOf(answerTo(input, subject, target))),
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

/** Not just put aside by the machine for a while. */
function isSlow(input: Input, subject: Subject, target: Target): boolean {
  return [1, 2].every(() => {
    const begun = performance.now()
    answerTo(input, subject, target)
    return performance.now() - begun > SLOW_MILLISECONDS
  })
}

function kindOf({ error }: Extract<Answer, { readonly kind: 'finding' }>): string {
  if (!(error instanceof Error)) return `a thrown ${typeof error}`
  const code = 'code' in error ? ` ${String(error.code)}` : ''
  return `${error.name}${code}: ${withoutNumbers(error.message)}`
}

function detailOf(answer: Answer): string {
  if (answer.kind !== 'finding') return 'the same input was answered otherwise the second time'
  const { error } = answer
  return error instanceof Error ? (error.stack ?? error.message) : inspect(error)
}

/** Traces take most of the time of a refusal, and only a finding needs one. */
function traced<T>(call: () => T): T {
  Error.stackTraceLimit = 20
  try {
    return call()
  } finally {
    Error.stackTraceLimit = 0
  }
}

function withoutNumbers(message: string): string {
  return message
    .slice(0, 200)
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|0x[0-9a-f]+|[0-9a-f]{16,}|\d+/g, '#')
}
