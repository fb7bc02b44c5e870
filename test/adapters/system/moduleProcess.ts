/** Runs a small module in a process of its own, for behaviour that only a process can show. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))

export type ModuleProcess = {
  readonly child: ChildProcessByStdio<null, Readable, Readable>
  readonly ended: Promise<{
    readonly code: number | null
    readonly signal: string | null
    readonly stdout: string
    readonly stderr: string
  }>
}

/** `code` is a module's text. It imports as src does (`#adapters/…`). */
export function startModule(code: string): ModuleProcess {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exit = once(child, 'exit')
  const output = Promise.all([text(child.stdout), text(child.stderr)])
  return {
    child,
    ended: Promise.all([exit, output]).then(([[status, signal], [stdout, stderr]]) => ({
      code: status,
      signal,
      stdout,
      stderr,
    })),
  }
}
