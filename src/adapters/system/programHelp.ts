/** The `--help` of a program: usage, options, examples and exit codes. */
import { fill } from './prose.ts'

export type ProgramHelp = {
  /** The command that starts it. */
  readonly name: string
  /** What it does, in a paragraph. */
  readonly about: string
  readonly options: readonly HelpRow[]
  /** Variables of the environment that it reads. */
  readonly environment: readonly HelpRow[]
  /** Command lines, as they are typed. */
  readonly examples: readonly string[]
  readonly exitCodes: readonly (readonly [code: number, meaning: string])[]
}

export type HelpRow = readonly [name: string, meaning: string]

const WIDTH = 100

export function renderHelp({ name, about, options, environment, examples, exitCodes }: ProgramHelp): string {
  return [
    `Usage: confidential-worker ${name} [options]`,
    '',
    fill(about, WIDTH),
    '',
    'Options:',
    rows(options),
    ...(environment.length === 0 ? [] : ['', 'Environment:', rows(environment)]),
    '',
    examples.length === 1 ? 'Example' : 'Examples',
    ...examples.map((example) => `  ${example}`),
    '',
    'Exit codes',
    rows(exitCodes.map(([code, meaning]) => [String(code), meaning])),
    '',
  ].join('\n')
}

function rows(table: readonly HelpRow[]): string {
  const width = Math.max(...table.map(([name]) => name.length)) + 4
  const margin = ' '.repeat(width)
  return table
    .map(([name, meaning]) => `  ${name}`.padEnd(width) + fill(meaning, WIDTH, margin).slice(width))
    .join('\n')
}
