/** Starts the command line and the demo as a user does, each in its own process. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { CommandResult } from '#lab/demo/command.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const DEMO = fileURLToPath(new URL('../../lab/demo/main.ts', import.meta.url))

export function startCommand(
  ...parameters: readonly string[]
): ChildProcessByStdio<null, Readable, Readable> {
  return start(MAIN, parameters)
}

export function startDemo(...parameters: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
  return start(DEMO, parameters)
}

function start(file: string, parameters: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
  return spawn(process.execPath, [file, ...parameters], { stdio: ['ignore', 'pipe', 'pipe'] })
}

export async function runCommand(...parameters: readonly string[]): Promise<CommandResult> {
  return await resultOf(startCommand(...parameters))
}

export async function resultOf(child: ChildProcessByStdio<null, Readable, Readable>): Promise<CommandResult> {
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { exit: child.exitCode, stdout, stderr }
}
