/** The command line: its commands, its help, and its failures. */
import { readFile } from 'node:fs/promises'
import { Command, CommanderError } from 'commander'
import { z } from 'zod'
import { parseJson } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import { addApproveCommand } from './approve/command.ts'
import { addConsentCommands } from './consent/command.ts'
import { addDeadLettersCommands } from './deadLetters/command.ts'
import { addDoctorCommands } from './doctor/command.ts'
import { addEndorsementsCommands } from './endorsements/command.ts'
import { addEnrolCommands } from './enrol/command.ts'
import { addEvidenceCommands } from './evidence/command.ts'
import { addExplainCommand } from './explain/command.ts'
import { addFreshnessCommand } from './freshness/command.ts'
import { addMeasureCommand } from './measure/command.ts'
import { addResultCommands } from './open/command.ts'
import { addPolicyCommands } from './policy/command.ts'
import { addProgramCommands } from './programs/command.ts'
import { addReportCommands } from './report/command.ts'
import { addRevokeCommands } from './revoke/command.ts'
import { addSealCommands } from './seal/command.ts'
import { type CommandContext, openTerminal, reportFailure } from './terminal.ts'

const ABOUT =
  'Lets a research organisation compute on health data that it never sees. The data is sealed before it leaves the hospital, opened only inside attested confidential VMs and minimised there. Every decision leaves evidence.'

const AFTER = `
Exit codes
  0     yes, or done
  1     refused: a check failed, or something is not allowed
  2     malformed input, or a wrong command line
  75    try again later
  78    a configuration file must be changed first
  128+n signal n ended the program (worker, verifier, function)

Results go to stdout, with --json as one line of JSON. Errors go to stderr: "error: <sentence> (<code>)" and a remedy.
"confidential-worker <command> --help" shows options, examples and exit codes.`

const HELP_WIDTH = 100

/** Returns the exit code. Never throws. */
export async function runCommandLine(parameters: readonly string[]): Promise<number> {
  let exitCode = 0
  const terminal = openTerminal()
  const program = frame(await readVersion())
  const context: CommandContext = {
    terminal,
    exit: (code) => {
      exitCode = code
    },
  }
  addSealCommands(program, context)
  addResultCommands(program, context)
  addFreshnessCommand(program, context)
  addEvidenceCommands(program, context)
  addExplainCommand(program, context)
  addDeadLettersCommands(program, context)
  addReportCommands(program, context)
  addEndorsementsCommands(program, context)
  addMeasureCommand(program, context)
  addApproveCommand(program, context)
  addEnrolCommands(program, context)
  addPolicyCommands(program, context)
  addRevokeCommands(program, context)
  addConsentCommands(program, context)
  addDoctorCommands(program, context)
  addProgramCommands(program, context)
  try {
    await program.parseAsync(parameters, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    const fault = terminal.interrupted()
      ? new CodedError('process.interrupted', 'interrupted', { cause: error })
      : usageOf(error)
    return reportFailure(fault, (text) => process.stderr.write(text))
  }
}

function frame(version: string): Command {
  return (
    new Command('confidential-worker')
      .description(ABOUT)
      .version(version, '-V, --version', 'print the version')
      .helpOption('-h, --help', 'print this help')
      .helpCommand(false)
      .enablePositionalOptions()
      .allowExcessArguments()
      .addHelpText('after', AFTER)
      .exitOverride()
      // A wrong command line is reported once, in our own form.
      .configureOutput({ outputError: () => {}, getOutHelpWidth: () => HELP_WIDTH })
      // The descriptions state defaults in words.
      .configureHelp({
        optionDescription: ({ description }) => description,
        subcommandTerm: (it) => it.name(),
      })
      .action((_options, command: Command) => {
        if (command.args.length > 0)
          throw new CodedError('usage.invalid', `there is no command ${JSON.stringify(command.args[0])}`)
        throw new CodedError('usage.invalid', 'no command is given')
      })
  )
}

function usageOf(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error
  if (error.code === 'commander.help') return new CodedError('usage.invalid', 'the command is not complete')
  const sentence = error.message.replace(/^error: /, '').replace(/\.$/, '')
  return new CodedError('usage.invalid', sentence, { cause: error })
}

async function readVersion(): Promise<string> {
  const manifest = await readFile(new URL('../../package.json', import.meta.url))
  return z.object({ version: z.string() }).parse(parseJson(manifest, 'package.json')).version
}
