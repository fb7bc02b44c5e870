/** `worker`, `verifier` and `function`: each starts its program in a process of its own. */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { nodeOptionsFor } from '#adapters/system/nodeOptions.ts'
import { leaveSignals } from '#adapters/system/shutdown.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { CodedError } from '#core/errors.ts'

const PROGRAMS = {
  worker: 'run a worker: take jobs, attest, open, compute, seal',
  verifier: 'run the Verifier: decide which keys are released to whom',
  function: 'run the ingest function: turn events into jobs',
} as const

/** Sent to us by a person or a supervisor, and passed on. */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

export function addProgramCommands(program: Command, { exit }: CommandContext): void {
  for (const [name, summary] of Object.entries(PROGRAMS))
    program
      .command(name)
      .summary(summary)
      // The program has the one text about its options.
      .helpOption(false)
      .argument('[arguments...]')
      .allowUnknownOption()
      .passThroughOptions()
      .action(async (parameters: readonly string[]) => exit(await runProgram(`${name}/main.ts`, parameters)))
}

/**
 * Runs the program with this main file below src to its end and returns its exit code. The program is in a
 * process group of its own, so Ctrl-C reaches only this process and is passed on once: a program takes a
 * second signal as the order to end without draining.
 */
export async function runProgram(main: string, parameters: readonly string[]): Promise<number> {
  const file = fileURLToPath(new URL(`../../${main}`, import.meta.url))
  const child = spawn(process.execPath, [...nodeOptionsFor(`src/${main}`), file, ...parameters], {
    stdio: 'inherit',
    detached: true,
  })
  const passOn = (signal: NodeJS.Signals) => child.kill(signal)
  leaveSignals()
  for (const signal of SIGNALS) process.on(signal, passOn)
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (cause) =>
        reject(new CodedError('internal.fault', `${main} could not be started`, { cause })),
      )
      child.once('exit', (code, signal) => resolve(signal === null ? (code ?? 75) : exitCodeOf(signal)))
    })
  } finally {
    for (const signal of SIGNALS) process.off(signal, passOn)
  }
}

/** As shells report an end by a signal, which must not look like an orderly end. */
function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}
