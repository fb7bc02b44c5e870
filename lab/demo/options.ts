/** The arguments of the demonstration, and their help page. */
import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { CodedError } from '#core/errors.ts'

export type DemoOptions = {
  /** Absolute; undefined where a population is to be made up. */
  readonly input: string | undefined
  readonly patients: number
  readonly seed: string
  readonly out: string
  readonly json: boolean
  readonly keep: boolean
}

export const HELP = `Usage: npm run demo -- [options]

The whole pipeline on this machine, without a cloud account. Starts the emulator, the Verifier, the ingest
function and two workers, and follows a file from the hospital that seals it to the researcher who opens the
result and the auditor who checks the evidence. Three machines that must not get the data ask for it and are
refused. Everything is kept in one folder.

Options
  --input FILE   your own FHIR R4 export, NDJSON of any size; without it, a population is made up
  --patients N   how many people to make up (default 1500)
  --seed TEXT    which population to make up (default demo)
  --out DIR      where everything goes; must not exist (default out/demo-<time>)
  --json         print the summary as one line of JSON on stdout, and the story on stderr
  --keep         leave everything running at the end, until Ctrl-C
  --help         print this page

Examples
  npm run demo
  npm run demo -- --input export.ndjson

Exit codes
  0 ended in order   1 refused   2 arguments   75 interrupted or failed, another start may help
`

const DEFAULT_PATIENTS = 1500
const MAX_PATIENTS = 1_000_000

/** Undefined if the help page is asked for. Throws `usage.invalid`, `input.unreadable`. */
export async function readOptions(
  parameters: readonly string[],
  startedAt: Date,
): Promise<DemoOptions | undefined> {
  const values = parse(parameters)
  if (values.help === true) return undefined
  const { input, patients, seed = 'demo', out, json = false, keep = false } = values
  if (input !== undefined && (patients !== undefined || values.seed !== undefined))
    throw new CodedError('usage.invalid', '--input brings its own people: leave --patients and --seed out')
  const file = input === undefined ? undefined : resolve(input)
  if (file !== undefined) await expectFile(file)
  return {
    input: file,
    patients: patients === undefined ? DEFAULT_PATIENTS : numberOf(patients),
    seed,
    out: resolve(out ?? `out/demo-${stampOf(startedAt)}`),
    json,
    keep,
  }
}

function parse(parameters: readonly string[]) {
  try {
    return parseArgs({
      args: [...parameters],
      options: {
        input: { type: 'string' },
        patients: { type: 'string' },
        seed: { type: 'string' },
        out: { type: 'string' },
        json: { type: 'boolean' },
        keep: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (cause) {
    const sentence = cause instanceof Error ? cause.message.split('. ')[0] : ''
    throw new CodedError('usage.invalid', `demo: ${sentence}`, { cause })
  }
}

function numberOf(text: string): number {
  const patients = /^[1-9]\d{0,6}$/.test(text) ? Number(text) : 0
  if (patients < 1 || patients > MAX_PATIENTS)
    throw new CodedError('usage.invalid', `--patients is a number from 1 to ${MAX_PATIENTS}`)
  return patients
}

async function expectFile(file: string): Promise<void> {
  try {
    await access(file, constants.R_OK)
    if ((await stat(file)).isFile()) return
  } catch (cause) {
    throw new CodedError('input.unreadable', `${file} cannot be read`, { cause })
  }
  throw new CodedError('input.unreadable', `${file} is not a file`)
}

/** 20261121-055500, UTC. */
function stampOf(at: Date): string {
  return at
    .toISOString()
    .replace(/[-:]/g, '')
    .replace('T', '-')
    .replace(/\.\d+Z$/, '')
}
