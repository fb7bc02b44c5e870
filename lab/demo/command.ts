/** Runs a program to its end: a command of the command line, or a worker that does one job. */
import { once } from 'node:events'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { buffer } from 'node:stream/consumers'
import { CodedError } from '#core/errors.ts'
import { type ChildOptions, startChild } from './childProcess.ts'

const TAIL_LINES = 8

export type CommandOptions = Pick<ChildOptions, 'file' | 'parameters'> & {
  readonly signal: AbortSignal
  /** The output is appended to `<logFolder>/<log>.log`. */
  readonly logFolder: string
  readonly log: string
  /** Called with each line of stderr, where commands report progress. */
  readonly onLine?: (line: string) => void
}

export type CommandResult = { readonly exit: number | null; readonly stdout: string; readonly stderr: string }

export async function runCommand(options: CommandOptions): Promise<CommandResult> {
  const { logFolder, log, onLine } = options
  const child = startChild(options)
  const lines: string[] = []
  createInterface(child.stderr).on('line', (line) => {
    lines.push(line)
    onLine?.(line)
  })
  const [output] = await Promise.all([buffer(child.stdout), once(child, 'close')])
  const stdout = output.toString('utf8')
  await appendFile(join(logFolder, `${log}.log`), `${[...lines, stdout.trimEnd()].join('\n')}\n`)
  return { exit: child.exitCode, stdout, stderr: lines.join('\n') }
}

/**
 * Runs a command that has to succeed and returns its stdout. On failure throws `internal.fault` with its last
 * lines.
 */
export async function runToSuccess(options: CommandOptions): Promise<string> {
  const { exit, stdout, stderr } = await runCommand(options)
  if (exit === 0) return stdout
  const tail = stderr.trim().split('\n').slice(-TAIL_LINES).join('\n')
  throw new CodedError(
    'internal.fault',
    `${options.file} ${options.parameters[0] ?? ''} ended with exit code ${exit}; its last lines:\n${tail}`,
  )
}
