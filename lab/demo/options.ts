/** The demo's command line and its help page. */
import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { assertAbsent } from '#adapters/system/files.ts'
import { CodedError } from '#core/errors.ts'
import { usageError } from '#lab/usageError.ts'

export type DemoOptions = {
  /** Absolute path; undefined if the demo generates the input. */
  readonly input: string | undefined
  readonly patients: number
  readonly seed: string
  readonly out: string
  readonly verifiers: number
  readonly json: boolean
  readonly keep: boolean
}

export const HELP = `Usage: npm run demo -- [options]

Runs the whole pipeline on this machine, without a cloud account: an emulator of Oracle Cloud and of an AMD
host, the Verifier, the ingest function and two workers, each in its own process.

A hospital seals a file and uploads it. A worker proves its state, gets the key and computes a result. Three
machines that must not get the key ask for it and are refused. An auditor verifies the evidence of both sides,
and a researcher opens the result. All files of a run are in one folder.

Options
  --input FILE   your own FHIR R4 export, NDJSON of any size; by default the demo generates one
  --patients N   the number of patients to generate (default 1500)
  --seed TEXT    the seed of the generator; one seed gives one population (default demo)
  --out DIR      the output folder; must not exist (default out/demo-<time>)
  --verifiers N  the number of replicas of the Verifier, 1 to 4 (default 1)
  --json         print the summary as one line of JSON on stdout, and the story on stderr
  --keep         keep everything running at the end, until Ctrl-C; a program that ends is started again
  --help         print this page

Examples
  npm run demo
  npm run demo -- --input export.ndjson

Exit codes
  0   the demo ran to its end
  1   a check refused what it should have accepted
  2   wrong arguments, an unreadable input, or an output folder that exists
  75  interrupted, or a program failed; its log is in the output folder
`

const DEFAULT_PATIENTS = 1500
const MAX_PATIENTS = 1_000_000

/** Undefined if the help page was asked for. Throws `usage.invalid`, `input.unreadable`, `output.exists`. */
export async function readOptions(
  parameters: readonly string[],
  startedAt: Date,
): Promise<DemoOptions | undefined> {
  const values = parse(parameters)
  if (values.help === true) return undefined
  const { input, patients, seed = 'demo', out, json = false, keep = false } = values
  if (input !== undefined && (patients !== undefined || values.seed !== undefined))
    throw new CodedError('usage.invalid', '--input cannot be combined with --patients or --seed')
  const file = input === undefined ? undefined : resolve(input)
  if (file !== undefined) await expectFile(file)
  const folder = resolve(out ?? `out/demo-${stampOf(startedAt)}`)
  await assertAbsent(folder)
  return {
    input: file,
    patients: patients === undefined ? DEFAULT_PATIENTS : numberOf(patients),
    seed,
    out: folder,
    verifiers: verifiersOf(values.verifiers ?? '1'),
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
        verifiers: { type: 'string' },
        json: { type: 'boolean' },
        keep: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (cause) {
    throw usageError(cause)
  }
}

function numberOf(text: string): number {
  const patients = /^[1-9]\d{0,6}$/.test(text) ? Number(text) : 0
  if (patients < 1 || patients > MAX_PATIENTS)
    throw new CodedError('usage.invalid', `--patients is ${text}, must be a number from 1 to ${MAX_PATIENTS}`)
  return patients
}

function verifiersOf(text: string): number {
  if (/^[1-4]$/.test(text)) return Number(text)
  throw new CodedError('usage.invalid', `--verifiers is ${text}, must be a number from 1 to 4`)
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
