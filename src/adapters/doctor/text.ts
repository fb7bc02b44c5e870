/** A doctor's lines as text, and its help. */
import { fill } from '#adapters/system/prose.ts'
import type { Check, Line, State } from './check.ts'

const WIDTH = 110
const WORDS = { good: 'ok', finding: 'FINDING', away: 'AWAY', left: 'left' } as const satisfies Record<
  State,
  string
>
const MARGIN = ' '.repeat(9)

export function renderLines(role: string, lines: readonly Line[]): string {
  const count = (state: State) => lines.filter((line) => line.state === state).length
  const summary = [
    `${count('good')} as expected`,
    `${count('finding')} findings`,
    `${count('away')} not reached`,
    `${count('left')} not tried`,
  ].join(', ')
  return `${[...lines.map(renderLine), '', `${role}: ${summary}`].join('\n')}\n`
}

function renderLine({ state, check, found, remedy }: Line): string {
  const text = fill(`${check}: ${found}`, WIDTH, MARGIN).slice(MARGIN.length)
  const lines = [WORDS[state].padEnd(MARGIN.length) + text]
  if (remedy !== null) lines.push(fill(`remedy: ${remedy}`, WIDTH, `${MARGIN}  `))
  return lines.join('\n')
}

export type DoctorOption = { readonly name: string; readonly value: string; readonly meaning: string }

export type DoctorHelp = {
  readonly name: string
  readonly about: string
  readonly checks: readonly Pick<Check<never>, 'id' | 'tries' | 'expects'>[]
  /** What is not tried, and why. */
  readonly leaves: readonly string[]
  readonly options: readonly DoctorOption[]
}

const COMMON: readonly (readonly [string, string])[] = [
  ['--config <file>', "the role's own configuration file"],
  ['--json', 'print one line of JSON'],
  ['-h, --help', 'print this help, and end'],
]

export function renderDoctorHelp({ name, about, checks, leaves, options }: DoctorHelp): string {
  const own = options.map(({ name, value, meaning }) => [`--${name} <${value}>`, meaning] as const)
  return [
    `Usage: confidential-worker doctor ${name} [options]`,
    '',
    fill(about, WIDTH),
    '',
    'Options:',
    ...[...own, ...COMMON].map(([option, meaning]) => row(option, meaning, 29)),
    '',
    'What it tries, and what it expects',
    ...checks.map(({ id, tries, expects }) => row(id, `${tries}; expects: ${expects}`, 37)),
    '',
    'Nothing is changed. A write carries a condition that never holds, a read names an object that is not',
    'there, a ciphertext is none: OCI decides on the permission first, and the call then fails. The Vault',
    'and the buckets may log the calls. What must be refused is tried, too: a success there is a finding.',
    '',
    'It leaves out',
    ...leaves.map((text) => row('-', text, 4)),
    '',
    'Example',
    `  confidential-worker doctor ${name} --config ${name}.json`,
    '',
    'Exit codes',
    row('0', 'all as expected', 6),
    row('1', 'a finding: the line says what, and how to mend it', 6),
    row('2', 'wrong command line', 6),
    row('75', 'something cannot be reached, and nothing else is wrong', 6),
    row('78', 'the configuration, or a file that it names, must be changed first', 6),
    '',
  ].join('\n')
}

function row(name: string, meaning: string, width: number): string {
  return `  ${name.padEnd(width - 2)}${fill(meaning, WIDTH, ' '.repeat(width)).slice(width)}`
}
