/** A program as a process of its own, observed through its log. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Teardown } from '../lab/emulator/testEmulator.ts'

export type Line = Readonly<Record<string, unknown>>

export type Program = {
  readonly lines: readonly Line[]
  /** The first line that fits, now or later. Throws if the program ends without it. */
  readonly line: (fits: (line: Line) => boolean) => Promise<Line>
  readonly kill: (signal: NodeJS.Signals) => void
  readonly exit: Promise<number | null>
}

export function runVerifier(t: Teardown, parameters: readonly string[]): Program {
  return runProgram(t, 'verifier', parameters)
}

export function runProgram(
  t: Teardown,
  program: 'verifier' | 'worker',
  parameters: readonly string[],
): Program {
  const main = fileURLToPath(new URL(`../../src/${program}/main.ts`, import.meta.url))
  const child = spawn(process.execPath, [main, ...parameters], { stdio: ['ignore', 'ignore', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  const lines: Line[] = []
  const output = new EventEmitter().setMaxListeners(0)
  assert.ok(child.stderr)
  const reader = createInterface(child.stderr)
  reader.on('line', (text) => {
    lines.push(JSON.parse(text))
    output.emit('change')
  })
  const exit = once(child, 'close').then(() => {
    output.emit('change')
    return child.exitCode
  })
  return {
    lines,
    line: async (fits) => {
      for (;;) {
        const found = lines.find(fits)
        if (found !== undefined) return found
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`the ${program} ended: ${JSON.stringify(lines.at(-1))}`)
        await once(output, 'change')
      }
    },
    kill: (signal) => child.kill(signal),
    exit,
  }
}

export function says(message: string, fields: Line = {}): (line: Line) => boolean {
  return (line) =>
    line['msg'] === message && Object.entries(fields).every(([name, value]) => line[name] === value)
}
