/** What a command says and how it ends: results on stdout, progress and errors on stderr, an exit code by class. */

import type { Progress } from '#adapters/system/progress.ts'
import { listenForShutdown } from '#adapters/system/shutdown.ts'
import { CodedError, type ExitCode, errorRow } from '#core/errors.ts'

const DRAIN_MS = 10_000
const LINE_MS = 5000
const REDRAW_MS = 200

/** What is counted. */
export type ProgressUnit = 'bytes' | 'launches' | 'answers'

export type Terminal = {
  readonly print: (text: string) => void
  /** One JSON value, for programs. */
  readonly printJson: (value: unknown) => void
  /** On stderr, so that results stay alone. */
  readonly warn: (text: string) => void
  /** Shows on stderr how far `what` has come: in place on a terminal, else a line every few seconds. */
  readonly progress: (what: string, unit?: ProgressUnit) => Progress
  /** Aborted by the first SIGINT or SIGTERM; the second ends the process at once. */
  readonly interruption: () => AbortSignal
  readonly interrupted: () => boolean
}

/** What every command's action is given: how to speak, and how to end with another code than 0. */
export type CommandContext = { readonly terminal: Terminal; readonly exit: (code: number) => void }

export function openTerminal(): Terminal {
  let signal: AbortSignal | undefined
  // Whoever read our output has gone: nothing is left to be said to them.
  process.stdout.on('error', () => process.exit(75))
  return {
    print: (text) => process.stdout.write(text),
    printJson: (value) => process.stdout.write(`${JSON.stringify(value)}\n`),
    warn: (text) => process.stderr.write(`warning: ${text}\n`),
    progress: (what, unit = 'bytes') => showProgress(what, unit, process.stderr),
    interruption: () => {
      signal ??= listenForShutdown(DRAIN_MS, () => {}).signal
      return signal
    },
    interrupted: () => signal?.aborted === true,
  }
}

/** Says what went wrong, in one sentence, and returns the exit code of its class. */
export function reportFailure(error: unknown, say: (text: string) => void): ExitCode {
  const coded =
    error instanceof CodedError
      ? error
      : new CodedError('internal.fault', `something that should not happen: ${describe(error)}`)
  const { remedy, exit } = errorRow(coded.code)
  say(`error: ${coded.message} (${coded.code})\n  remedy: ${remedy}\n`)
  return exit
}

/** Where it happened, without what it was about: a foreign error's text may quote data. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'a value was thrown that is no error'
  const place = /\bsrc\/[\w/.-]+:\d+/.exec(error.stack ?? '')?.[0]
  return place === undefined ? error.name : `${error.name} in ${place}`
}

const UNITS: Readonly<Record<ProgressUnit, (total: number, rate: number) => string>> = {
  bytes: (total, rate) => `${formatBytes(total)}, ${(rate / 1_048_576).toFixed(0)} MiB/s`,
  answers: (total) => `${total} answers`,
  launches: (total, rate) => `${total} launches, ${rate.toFixed(0)}/s`,
}

type Stream = { readonly isTTY?: boolean; readonly write: (text: string) => unknown }

function showProgress(what: string, unit: ProgressUnit, stream: Stream): Progress {
  const start = performance.now()
  let said = stream.isTTY ? Number.NEGATIVE_INFINITY : start
  let open = false
  return (done, total) => {
    const now = performance.now()
    const isLast = done >= total && open
    if (!isLast && now - said < (stream.isTTY ? REDRAW_MS : LINE_MS)) return
    said = now
    const rate = done / Math.max(0.001, (now - start) / 1000)
    const percent = total === 0 ? 100 : Math.floor((done / total) * 100)
    const line = `${what}: ${percent} % of ${UNITS[unit](total, rate)}`
    open = stream.isTTY === true && done < total
    stream.write(stream.isTTY === true ? `\r${line}\u001b[K${done < total ? '' : '\n'}` : `${line}\n`)
  }
}

export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const
  const power = bytes === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  const unit = units[power] ?? 'bytes'
  return power === 0 ? `${bytes} ${unit}` : `${(bytes / 1024 ** power).toFixed(1)} ${unit}`
}
