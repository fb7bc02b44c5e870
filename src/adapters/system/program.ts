/**
 * Starts a long-running program: reads its arguments and its configuration, opens its log, listens for
 * signals, and turns its end into an exit code. Worker, Verifier and function differ in what they prepare and
 * what they run.
 */
import type { z } from 'zod'
import { CodedError, codeOf, type ErrorCode, errorRow } from '#core/errors.ts'
import { systemClock } from './clock.ts'
import { configExample } from './configExample.ts'
import { readConfig } from './configFile.ts'
import { createLog, errorFields, type Log, type LogLevel } from './log.ts'
import { createNotifier, type Notifier } from './notify.ts'
import { configPath, optionRows, type ProgramOption, readArguments } from './programArguments.ts'
import { type ProgramHelp, renderHelp } from './programHelp.ts'
import { listenForReload, type Reload } from './reload.ts'
import { listenForShutdown, type Shutdown } from './shutdown.ts'

export type Program<Config, Material> = {
  /** As the command line and the log name it. */
  readonly name: string
  /** The options that every program has are added here. */
  readonly help: Pick<ProgramHelp, 'about' | 'examples' | 'exitCodes'> &
    Partial<Pick<ProgramHelp, 'environment'>>
  /** The variable that names the configuration file if `--config` does not. */
  readonly configVariable?: string
  readonly schema: z.ZodType<Config>
  readonly options?: readonly ProgramOption<Config>[]
  readonly logLevel: (config: Config) => LogLevel
  readonly drainMilliseconds: (config: Config) => number
  /** Reads the files that the configuration names; calls no service. `--check-config` ends after it. */
  readonly prepare: (config: Config, log: Log) => Promise<Material>
  /** Returns the exit code, or undefined if the process ends by itself once its handles are closed. */
  readonly run: (started: Started<Config, Material>) => Promise<number | undefined>
  /** The exit code of a failure; by default that of its code. */
  readonly exitOf?: (code: ErrorCode) => number
}

export type Started<Config, Material> = {
  readonly config: Config
  readonly material: Material
  /** Values of the program's own options. */
  readonly values: Readonly<Record<string, string | undefined>>
  readonly log: Log
  readonly notifier: Notifier
  readonly shutdown: Shutdown
  readonly reload: Reload
}

/** What main.ts takes from its process. */
export type Surroundings = {
  readonly parameters: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
}

const EXAMPLE_NOTE = `// An example: every name, address and key is a placeholder. The file itself is plain JSON:
// delete the comments with  sed '/^ *\\/\\//d'
`

/** Ends the process, unless `run` leaves that to its handles. */
export async function startProgram<Config, Material>(
  program: Program<Config, Material>,
  surroundings: Surroundings,
): Promise<void> {
  try {
    const exit = await start(program, surroundings)
    if (exit !== undefined) process.exit(exit)
  } catch (error) {
    process.exit(reportFailure(program, error))
  }
}

async function start<Config, Material>(
  program: Program<Config, Material>,
  { parameters, environment }: Surroundings,
): Promise<number | undefined> {
  const { name, schema, options = [], configVariable } = program
  const { flags, values } = readArguments(options, parameters)
  if (flags.has('help')) return print(helpOf(program))
  if (flags.has('print-config')) return print(EXAMPLE_NOTE + configExample(schema))

  const config = await readConfig(configPath(values['config'], configVariable, environment), schema, name)
  for (const option of options)
    if ('print' in option && flags.has(option.name)) return print(`${await option.print(config)}\n`)
  const log = createLog(name, program.logLevel(config))
  const material = await program.prepare(config, log)
  if (flags.has('check-config')) return 0

  const notifier = createNotifier({
    NOTIFY_SOCKET: environment['NOTIFY_SOCKET'],
    WATCHDOG_USEC: environment['WATCHDOG_USEC'],
  })
  const shutdown = listenForShutdown(program.drainMilliseconds(config), (reason) =>
    log.info('stopping', { reason }),
  )
  const reload = listenForReload(systemClock)
  return await program.run({ config, material, values, log, notifier, shutdown, reload })
}

function helpOf<Config, Material>({
  name,
  help,
  options = [],
  configVariable,
}: Program<Config, Material>): string {
  return renderHelp({
    name,
    environment: [],
    ...help,
    options: optionRows(options, configVariable),
  })
}

function print(text: string): 0 {
  process.stdout.write(text)
  return 0
}

/** A wrong command line is told to the person who typed it; everything else goes to the log. */
function reportFailure<Config, Material>(program: Program<Config, Material>, error: unknown): number {
  const { name, exitOf = (code: ErrorCode) => errorRow(code).exit } = program
  const code = codeOf(error)
  if (code === 'usage.invalid' && error instanceof CodedError) {
    const { remedy, exit } = errorRow(code)
    process.stderr.write(`error: ${error.message} (${code})\n  remedy: ${remedy}\n`)
    return exit
  }
  createLog(name, 'error').error('failed', errorFields(error))
  return exitOf(code)
}
