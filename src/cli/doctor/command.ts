/**
 * The commands `doctor ROLE`. A program's doctor runs in a process of its own, since programs do not import
 * each other; those of people run here.
 */
import type { Command } from 'commander'
import { runProgram } from '#cli/programs/command.ts'
import type { CommandContext } from '#cli/terminal.ts'

type Run = (parameters: readonly string[]) => Promise<number>

const ROLES: Readonly<Record<string, { readonly summary: string; readonly run: Run }>> = {
  worker: {
    summary: 'a worker: its certificates, its key, its streams and buckets, the Verifier',
    run: (parameters) => runProgram('worker/doctor.ts', parameters),
  },
  verifier: {
    summary: "a Verifier: its certificates, the Vault's keys, what is in force, AMD's lists, its buckets",
    run: (parameters) => runProgram('verifier/doctor.ts', parameters),
  },
  function: {
    summary: "the ingest function, in the function's container: its buckets and its stream",
    run: (parameters) => runProgram('function/doctor.ts', parameters),
  },
  sealer: {
    summary: 'a sealing host: its keys and buckets',
    run: async (parameters) => (await doctor())((await import('./sealer.ts')).SEALER, parameters),
  },
  auditor: {
    summary: 'an auditor: the buckets of both sides',
    run: async (parameters) => (await doctor())((await import('./auditor.ts')).AUDITOR, parameters),
  },
  researcher: {
    summary: 'a researcher: results, the keys that certify them, the key that opens them',
    run: async (parameters) => (await doctor())((await import('./researcher.ts')).RESEARCHER, parameters),
  },
}

/** Loaded when it runs: no other command waits for it. */
async function doctor() {
  return (await import('#adapters/doctor/doctor.ts')).runDoctor
}

export function addDoctorCommands(program: Command, { exit }: CommandContext): void {
  const command = program
    .command('doctor')
    .helpCommand(false)
    .enablePositionalOptions()
    .summary('say what works, what ends when, what is missing, and how to mend it')
    .description(
      "Reads a role's own configuration and tries, as that role and without changing anything, what it needs and what it must be refused. Run it on the role's machine, by its user.",
    )
  for (const [name, { summary, run }] of Object.entries(ROLES))
    command
      .command(name)
      .summary(summary)
      // Each role has the one text about its checks.
      .helpOption(false)
      .argument('[arguments...]')
      .allowUnknownOption()
      .passThroughOptions()
      .action(async (parameters: readonly string[]) => exit(await run(parameters)))
}
