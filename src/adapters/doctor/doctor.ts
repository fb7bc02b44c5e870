/**
 * A doctor: reads a role's configuration, runs the role's checks as that role, and says line by line what
 * works, what ends when, what is missing and how to mend it.
 */
import { parseArgs } from 'node:util'
import type { z } from 'zod'
import { readConfig } from '#adapters/system/configFile.ts'
import { CodedError, codeOf, errorRow } from '#core/errors.ts'
import { type Check, exitOf, runChecks } from './check.ts'
import { type DoctorOption, renderDoctorHelp, renderLines } from './text.ts'

export type Role<Config, Context> = {
  /** As the command line names it. */
  readonly name: string
  readonly about: string
  readonly schema: z.ZodType<Config>
  readonly options: readonly DoctorOption[]
  readonly checks: readonly Check<Context>[]
  /** What no check tries, and why. */
  readonly leaves: readonly string[]
  /** Makes no call yet. Throws `config.invalid`. */
  readonly open: (config: Config, values: Values) => { readonly context: Context; readonly close: () => void }
}

/** The values of the role's own options; each may be given more than once. */
export type Values = Readonly<Record<string, readonly string[]>>

/** Returns the exit code; never throws. */
export async function runDoctor<Config, Context>(
  role: Role<Config, Context>,
  parameters: readonly string[],
): Promise<number> {
  try {
    return await run(role, parameters)
  } catch (error) {
    const code = codeOf(error)
    const { remedy, exit } = errorRow(code)
    const message = error instanceof CodedError ? error.message : 'an unexpected error'
    process.stderr.write(`error: ${message} (${code})\n  remedy: ${remedy}\n`)
    return exit
  }
}

async function run<Config, Context>(
  role: Role<Config, Context>,
  parameters: readonly string[],
): Promise<number> {
  const { name, checks, schema } = role
  const { flags, values } = argumentsOf(role, parameters)
  if (flags.has('help')) {
    process.stdout.write(renderDoctorHelp(role))
    return 0
  }
  const [path] = values['config'] ?? []
  if (path === undefined) throw new CodedError('usage.invalid', '--config FILE is missing')
  const config = await readConfig(path, schema, `doctor ${name}`)
  const { context, close } = role.open(config, values)
  try {
    const lines = await runChecks(checks, context)
    const exit = exitOf(lines)
    if (flags.has('json')) process.stdout.write(`${JSON.stringify({ role: name, exit, lines })}\n`)
    else process.stdout.write(renderLines(name, lines))
    return exit
  } finally {
    close()
  }
}

function argumentsOf<Config, Context>(
  { options }: Role<Config, Context>,
  parameters: readonly string[],
): { readonly flags: ReadonlySet<string>; readonly values: Values } {
  const texts = Object.fromEntries(
    ['config', ...options.map(({ name }) => name)].map((name) => [
      name,
      { type: 'string', multiple: true } as const,
    ]),
  )
  try {
    const { values } = parseArgs({
      options: { ...texts, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
      args: [...parameters],
    })
    const all: readonly (readonly [string, unknown])[] = Object.entries(values)
    return {
      flags: new Set(all.flatMap(([name, value]) => (value === true ? [name] : []))),
      values: Object.fromEntries(
        all.flatMap(([name, value]) => (Array.isArray(value) ? [[name, value.map(String)]] : [])),
      ),
    }
  } catch (cause) {
    const [sentence = ''] = cause instanceof Error ? cause.message.split(/\. |\n/) : []
    throw new CodedError('usage.invalid', sentence.charAt(0).toLowerCase() + sentence.slice(1), { cause })
  }
}
