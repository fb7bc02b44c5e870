/** One run of a program to its end: a command of the command line, or a worker that does one job. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { nodeOptionsFor } from '#adapters/system/nodeOptions.ts'
import { CodedError } from '#core/errors.ts'

const ROOT = new URL('../../', import.meta.url)
const TAIL_LINES = 8

export type CommandOptions = {
  /** From the root of the repository. */
  readonly file: string
  readonly parameters: readonly string[]
  /** What it prints goes to `<logFolder>/<log>.log`. */
  readonly logFolder: string
  readonly log: string
  readonly signal: AbortSignal
  /** Each line that it says about its progress. */
  readonly onLine?: (line: string) => void
}

export type CommandResult = { readonly exit: number | null; readonly stdout: string; readonly stderr: string }

export async function runCommand(options: CommandOptions): Promise<CommandResult> {
  const { file, parameters, logFolder, log, signal, onLine } = options
  const child = spawn(
    process.execPath,
    [...nodeOptionsFor(file), fileURLToPath(new URL(file, ROOT)), ...parameters],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      signal,
      killSignal: 'SIGTERM',
    },
  )
  const said: string[] = []
  createInterface(child.stderr).on('line', (line) => {
    said.push(line)
    onLine?.(line)
  })
  const [stdout] = await Promise.all([buffer(child.stdout), once(child, 'close')])
  const stderr = said.join('\n')
  const text = stdout.toString('utf8')
  await appendFile(join(logFolder, `${log}.log`), `${[...said, text.trimEnd()].join('\n')}\n`)
  return { exit: child.exitCode, stdout: text, stderr }
}

/** As `runCommand`, for what has to succeed: throws `internal.fault` with the last words where it does not. */
export async function runToSuccess(options: CommandOptions): Promise<string> {
  const { exit, stdout, stderr } = await runCommand(options)
  if (exit === 0) return stdout
  const tail = stderr.trim().split('\n').slice(-TAIL_LINES).join('\n')
  throw new CodedError(
    'internal.fault',
    `${options.file} ${options.parameters[0] ?? ''} ended with exit code ${exit}; its last words:\n${tail}`,
  )
}
