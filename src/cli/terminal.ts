/**
 * The terminal of a command: results on stdout, progress and errors on stderr, an exit code per class of
 * error.
 */
import type { Progress } from '#adapters/system/progress.ts'
import { listenForShutdown } from '#adapters/system/shutdown.ts'
import { CodedError, type ExitCode, errorRow } from '#core/errors.ts'

const DRAIN_MS = 10_000
const LINE_MS = 5000
const REDRAW_MS = 200

/** The unit that progress counts. */
type ProgressUnit = 'bytes' | 'launches' | 'answers'

export type Terminal = {
  readonly print: (text: string) => void
  /** One JSON value, for programs. */
  readonly printJson: (value: unknown) => void
  /** On stderr, so that stdout has only results. */
  readonly warn: (text: string) => void
  /** Shows on stderr how far a step is: in place on a terminal, otherwise as a line every few seconds. */
  readonly progress: (step: string, unit?: ProgressUnit) => Progress
  /** Aborted by the first SIGINT or SIGTERM; the second ends the process at once. */
  readonly interruption: () => AbortSignal
  readonly interrupted: () => boolean
}

/** Given to every command's action; `exit` sets an exit code other than 0. */
export type CommandContext = { readonly terminal: Terminal; readonly exit: (code: number) => void }

export function openTerminal(): Terminal {
  let signal: AbortSignal | undefined
  // The reader of our output is gone.
  process.stdout.on('error', () => process.exit(75))
  return {
    print: (text) => process.stdout.write(text),
    printJson: (value) => process.stdout.write(`${plainJson(value)}\n`),
    warn: (text) => process.stderr.write(`warning: ${text}\n`),
    progress: (step, unit = 'bytes') => showProgress(step, unit, process.stderr),
    interruption: () => {
      signal ??= listenForShutdown(DRAIN_MS, () => {}).signal
      return signal
    },
    interrupted: () => signal?.aborted === true,
  }
}

/** Prints an error as one sentence with its remedy, and returns its exit code. */
export function reportFailure(error: unknown, say: (text: string) => void): ExitCode {
  const coded =
    error instanceof CodedError
      ? error
      : new CodedError('internal.fault', `unexpected error: ${describe(error)}`)
  const { remedy, exit } = errorRow(coded.code)
  say(`error: ${coded.message} (${coded.code})\n  remedy: ${remedy}\n`)
  return exit
}

/** The class and place of a foreign error. Its text may quote data. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'the thrown value is not an error'
  const place = /\bsrc\/[\w/.-]+:\d+/.exec(error.stack ?? '')?.[0]
  return place === undefined ? error.name : `${error.name} in ${place}`
}

const UNITS: Readonly<Record<ProgressUnit, (total: number, rate: number) => string>> = {
  bytes: (total, rate) => `${formatBytes(total)}, ${(rate / 1_048_576).toFixed(0)} MiB/s`,
  answers: (total) => `${total} answers`,
  launches: (total, rate) => `${total} launches, ${rate.toFixed(0)}/s`,
}

type Stream = { readonly isTTY?: boolean; readonly write: (text: string) => unknown }

function showProgress(step: string, unit: ProgressUnit, stream: Stream): Progress {
  const start = performance.now()
  let shownAt = stream.isTTY ? Number.NEGATIVE_INFINITY : start
  let open = false
  return (done, total) => {
    const now = performance.now()
    const isLast = done >= total && open
    if (!isLast && now - shownAt < (stream.isTTY ? REDRAW_MS : LINE_MS)) return
    shownAt = now
    const rate = done / Math.max(0.001, (now - start) / 1000)
    const percent = total === 0 ? 100 : Math.floor((done / total) * 100)
    const line = `${step}: ${percent} % of ${UNITS[unit](total, rate)}`
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

/** The same JSON in ASCII: no character of a stranger's words reaches the terminal as itself. */
function plainJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
