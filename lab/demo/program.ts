/** A child process of the demonstration: its log goes to a file, its JSON lines to whoever tells the story. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { nodeOptionsFor } from '#adapters/system/nodeOptions.ts'
import { CodedError } from '#core/errors.ts'

const STOP_MILLISECONDS = 15_000
const TAIL_LINES = 5

export type LogLine = Readonly<Record<string, unknown>>

export type ProgramOptions = {
  readonly name: string
  /** The program's main file, from the root of the repository. */
  readonly file: string
  readonly parameters: readonly string[]
  /** The whole environment, where it is not to be inherited. */
  readonly environment?: Readonly<Record<string, string>>
  readonly logFolder: string
  readonly onLine: (name: string, line: LogLine) => void
}

export type Ending = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

export type Program = {
  readonly name: string
  readonly pid: number
  /** What it says when it serves. Throws `internal.fault` where it ends first, or takes too long. */
  readonly ready: (milliseconds: number) => Promise<LogLine>
  readonly ended: Promise<Ending>
  /** The last lines that it said, to explain an end that nobody asked for. */
  readonly tail: () => string
  /** SIGTERM, and SIGKILL where that is not heard; resolves when the process is gone. */
  readonly stop: () => Promise<Ending>
  /** Sends a signal; the process is expected to end from now on. */
  readonly kill: (signal: NodeJS.Signals) => void
  /** Whether its end was asked for. */
  readonly stopping: () => boolean
}

const ROOT = new URL('../../', import.meta.url)

export function startProgram(options: ProgramOptions): Program {
  const { name, file, parameters, environment, logFolder, onLine } = options
  const child = spawn(
    process.execPath,
    [...nodeOptionsFor(file), fileURLToPath(new URL(file, ROOT)), ...parameters],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C reaches us alone, and we stop the programs in their order.
      detached: true,
      ...(environment !== undefined && { env: { ...environment } }),
    },
  )
  const log = createWriteStream(join(logFolder, `${name}.log`), { flags: 'a' })
  const tail: string[] = []
  const isReady = Promise.withResolvers<LogLine>()
  isReady.promise.catch(() => {})
  const read = (stream: Readable | null): void => {
    if (stream === null) return
    createInterface(stream).on('line', (text) => {
      log.write(`${text}\n`)
      tail.push(text)
      if (tail.length > TAIL_LINES) tail.shift()
      const line = parseLine(text)
      if (line === undefined) return
      if (messageOf(line) === 'ready') isReady.resolve(line)
      onLine(name, line)
    })
  }
  read(child.stdout)
  read(child.stderr)

  let expected = false
  const ended = endOf(child).finally(() => log.end())
  ended.then(
    (ending) => isReady.reject(endedEarly(name, ending, tail.join('\n'))),
    (cause: unknown) =>
      isReady.reject(new CodedError('internal.fault', `${name} could not be started`, { cause })),
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
    ready: (milliseconds) => within(isReady.promise, milliseconds, `${name} is not ready`),
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

/** The words of a log line; programs that print their readiness on stdout call them `event`. */
export function messageOf(line: LogLine): unknown {
  return line['event'] ?? line['msg']
}

/** Why a program that should run does not. */
export function endedEarly(name: string, { code, signal }: Ending, tail: string): CodedError {
  return new CodedError(
    'internal.fault',
    `${name} ended with ${signal ?? `exit code ${code}`}${tail === '' ? '' : `; its last words:\n${tail}`}`,
  )
}

/** Throws `internal.fault` where `work` takes longer. */
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

async function endOf(child: ChildProcess): Promise<Ending> {
  // `close` comes when the last line has been read.
  await once(child, 'close')
  return { code: child.exitCode, signal: child.signalCode }
}

/** A line of a program that is one JSON object. */
export function parseLine(text: string): LogLine | undefined {
  if (!text.startsWith('{')) return undefined
  try {
    const value: unknown = JSON.parse(text)
    // A text that begins with a brace and parses is an object.
    return value as LogLine
  } catch {
    return undefined
  }
}
