/** The programs that the command line starts, each in a process of its own. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { nodeOptionsFor } from '#adapters/system/nodeOptions.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { CodedError } from '#core/errors.ts'

type Program = {
  readonly name: string
  /** Its main.ts, beside this file. */
  readonly file: URL
  readonly summary: string
  readonly about: string
  readonly examples: string
}

const PROGRAMS: readonly Program[] = [
  {
    name: 'worker',
    file: new URL('../../worker/main.ts', import.meta.url),
    summary: 'run a worker: take jobs, attest, open, compute, seal',
    about:
      'Takes jobs from the stream, proves by an attestation report what it is, opens what the Verifier releases to it, and seals the results. Runs until SIGTERM, which lets it finish what it has in hand.',
    examples: `  confidential-worker worker --config /etc/confidential-worker/worker.json
  confidential-worker worker --config worker.json --check-config`,
  },
  {
    name: 'verifier',
    file: new URL('../../verifier/main.ts', import.meta.url),
    summary: 'run the Verifier: decide who may open what',
    about:
      'Answers challenges and release requests over TLS 1.3: checks the report, the client and the policy, writes the decision to its log, and only then has the Vault open a key and wraps it to the worker.',
    examples: `  confidential-worker verifier --config /etc/confidential-worker/verifier.json
  confidential-worker verifier --config verifier.json --check-config`,
  },
  {
    name: 'function',
    file: new URL('../../function/main.ts', import.meta.url),
    summary: 'run the ingest function: make a job of an event',
    about:
      'Answers calls of OCI Functions on the unix socket that FN_LISTENER names: looks at the object that an event speaks of and publishes a job. The platform sets FN_FORMAT, FN_LISTENER and OCI_RESOURCE_PRINCIPAL_*; CW_CONFIG names the configuration file.',
    examples: `  CW_CONFIG=function.json FN_FORMAT=http-stream FN_LISTENER=unix:/tmp/fn/lsnr.sock confidential-worker function`,
  },
]

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

export function addProgramCommands(program: Command, { exit }: CommandContext): void {
  for (const { name, file, summary, about, examples } of PROGRAMS) {
    program
      .command(name)
      .summary(summary)
      .usage('[arguments of the program]')
      .description(about)
      .argument('[arguments...]')
      .allowUnknownOption()
      .passThroughOptions()
      .addHelpText(
        'after',
        `\nExample\n${examples}\n\nExit codes\n  0 ended in order   1 refused   2 arguments   75 ended, another start may help   78 configuration`,
      )
      .action(async (parameters: readonly string[]) =>
        exit(await runProgram(fileURLToPath(file), nodeOptionsFor(`src/${name}/main.ts`), parameters)),
      )
  }
}

/**
 * Runs until the program ends and gives its exit code. It is in a process group of its own: Ctrl-C reaches us alone and
 * is passed on once, since a program takes a second signal as the wish to end without draining.
 */
async function runProgram(
  file: string,
  nodeOptions: readonly string[],
  parameters: readonly string[],
): Promise<number> {
  const child = spawn(process.execPath, [...nodeOptions, file, ...parameters], {
    stdio: 'inherit',
    detached: true,
  })
  const passOn = (signal: NodeJS.Signals) => child.kill(signal)
  for (const signal of SIGNALS) process.on(signal, passOn)
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (cause) =>
        reject(new CodedError('internal.fault', 'the program could not be started', { cause })),
      )
      // Killed by a signal: as shells have it, so that nobody takes it for an end in order.
      child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 75 : 128 + 9)))
    })
  } finally {
    for (const signal of SIGNALS) process.off(signal, passOn)
  }
}
