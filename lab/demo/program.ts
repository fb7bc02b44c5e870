/** A long-running program of the demo: its output goes to a log file, its JSON lines to a listener. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { CodedError } from '#core/errors.ts'
import { type ChildOptions, startChild } from './childProcess.ts'
import { type LogLine, messageOf, parseLine } from './logLine.ts'

const STOP_MILLISECONDS = 15_000
const TAIL_LINES = 5

export type ProgramOptions = Pick<ChildOptions, 'file' | 'parameters' | 'environment'> & {
  readonly name: string
  readonly logFolder: string
  readonly onLine: (name: string, line: LogLine) => void
  /** Whether this is its ready line. Default: the message is `ready`. */
  readonly isReady?: (line: LogLine) => boolean
}

export type ProgramExit = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

export type RunningProgram = {
  readonly name: string
  readonly pid: number
  /** Its ready line. Throws `internal.fault` if the program ends first or takes longer than this. */
  readonly ready: (milliseconds: number) => Promise<LogLine>
  readonly ended: Promise<ProgramExit>
  /** The last lines of its output, to explain an unexpected end. */
  readonly tail: () => string
  /** Sends SIGTERM, later SIGKILL; resolves when the process is gone. */
  readonly stop: () => Promise<ProgramExit>
  /** Sends a signal. From now on the end of the process is expected. */
  readonly kill: (signal: NodeJS.Signals) => void
  /** True once the program was stopped or killed. */
  readonly stopping: () => boolean
}

export function spawnProgram(options: ProgramOptions): RunningProgram {
  const { name, logFolder, onLine, isReady = (line) => messageOf(line) === 'ready' } = options
  const child = startChild(options)
  const log = createWriteStream(join(logFolder, `${name}.log`), { flags: 'a' })
  const tail: string[] = []
  const ready = Promise.withResolvers<LogLine>()
  ready.promise.catch(() => {})
  const read = (stream: Readable): void => {
    createInterface(stream).on('line', (text) => {
      log.write(`${text}\n`)
      tail.push(text)
      if (tail.length > TAIL_LINES) tail.shift()
      const line = parseLine(text)
      if (line === undefined) return
      if (isReady(line)) ready.resolve(line)
      onLine(name, line)
    })
  }
  read(child.stdout)
  read(child.stderr)

  let expected = false
  const ended = exitOf(child).finally(() => log.end())
  ended.then(
    (exit) => ready.reject(endedEarly(name, exit, tail.join('\n'))),
    (cause: unknown) =>
      ready.reject(new CodedError('internal.fault', `${name} could not be started`, { cause })),
  )
  const killNow = () => child.kill('SIGKILL')
  process.once('exit', killNow)
  const gone = () => process.off('exit', killNow)
  ended.then(gone, gone)

  return {
    name,
    pid: child.pid ?? 0,
    ended,
    tail: () => tail.join('\n'),
    stopping: () => expected,
    ready: (milliseconds) => within(ready.promise, milliseconds, `${name} is not ready`),
    kill: (signal) => {
      expected = true
      child.kill(signal)
    },
    stop: async () => {
      expected = true
      child.kill('SIGTERM')
      const patience = setTimeout(killNow, STOP_MILLISECONDS)
      try {
        return await ended
      } finally {
        clearTimeout(patience)
      }
    },
  }
}

/** The error for a program that ended although it should run. */
export function endedEarly(name: string, { code, signal }: ProgramExit, tail: string): CodedError {
  return new CodedError(
    'internal.fault',
    `${name} ended with ${signal ?? `exit code ${code}`}${tail === '' ? '' : `; its last lines:\n${tail}`}`,
  )
}

/** Throws `internal.fault` with `what` if `work` takes longer. */
export async function within<T>(work: Promise<T>, milliseconds: number, what: string): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => late.reject(new CodedError('internal.fault', `${what} after ${Math.round(milliseconds / 1000)} s`)),
    milliseconds,
  )
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

async function exitOf(child: ChildProcess): Promise<ProgramExit> {
  // `close` comes after the last line has been read.
  await once(child, 'close')
  return { code: child.exitCode, signal: child.signalCode }
}
