/** The arguments of a long-running program: those that every program has, and its own. */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { CodedError } from '#core/errors.ts'
import type { HelpRow } from './programHelp.ts'

export type ProgramOption<Config> = {
  readonly name: string
  readonly meaning: string
} & (
  | { readonly value: string }
  /** Prints this and ends. */
  | { readonly print: (config: Config) => Promise<string> }
)

/** Throws `usage.invalid`. */
export function readArguments(
  own: readonly ProgramOption<never>[],
  parameters: readonly string[],
): { readonly flags: ReadonlySet<string>; readonly values: Readonly<Record<string, string | undefined>> } {
  const options: ParseArgsConfig['options'] = {
    help: { type: 'boolean', short: 'h' },
    'check-config': { type: 'boolean' },
    'print-config': { type: 'boolean' },
    config: { type: 'string' },
    ...Object.fromEntries(
      own.map((option) => [option.name, { type: 'value' in option ? 'string' : 'boolean' } as const]),
    ),
  }
  try {
    const parsed = Object.entries(parseArgs({ options, args: [...parameters] }).values)
    return {
      flags: new Set(parsed.flatMap(([name, value]) => (value === true ? [name] : []))),
      values: Object.fromEntries(
        parsed.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
      ),
    }
  } catch (cause) {
    throw new CodedError('usage.invalid', sentenceOf(cause), { cause })
  }
}

/** The first sentence of Node's message: "unknown option '--what'". */
function sentenceOf(cause: unknown): string {
  const [sentence = ''] = cause instanceof Error ? cause.message.split(/\. |\n/) : []
  return sentence.charAt(0).toLowerCase() + sentence.slice(1).replace(/\.$/, '')
}

/** Throws `usage.invalid`; `config.invalid` if only the platform could have named the file. */
export function configPath(
  given: string | undefined,
  variable: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const path = given ?? (variable === undefined ? undefined : environment[variable])
  if (path !== undefined) return path
  if (variable === undefined) throw new CodedError('usage.invalid', '--config FILE is missing')
  throw new CodedError('config.invalid', `${variable} names no configuration file`)
}

/** The options as `--help` lists them. */
export function optionRows(
  own: readonly ProgramOption<never>[],
  configVariable: string | undefined,
): readonly HelpRow[] {
  const fallback = configVariable === undefined ? '' : ` (default: the file that ${configVariable} names)`
  return [
    ['--config <file>', `the configuration, one JSON file${fallback}`],
    ['--check-config', 'read the configuration and the files that it names, report every problem, and end'],
    ['--print-config', 'print an example configuration with a comment per field, and end'],
    ...own.map(
      (option) =>
        [`--${option.name}${'value' in option ? ` <${option.value}>` : ''}`, option.meaning] as const,
    ),
    ['-h, --help', 'print this help, and end'],
  ]
}
