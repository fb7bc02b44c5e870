/** `npm run faults`: real processes under faults from seeds, and invariants that must hold for every object. */
import { appendFile, readFile } from 'node:fs/promises'
import { endWithUsage, readCommand, readNumber } from '../toolCommand.ts'
import { runRange } from './range.ts'
import type { RunReport } from './run.ts'
import { tryWithout } from './safeguards/runner.ts'
import { SAFEGUARDS } from './safeguards/table.ts'
import { runScenarios, SCENARIOS, sentenceOf } from './scenarios/runner.ts'
import { soakOnSite, tableOf } from './soak/soak.ts'

const HELP = `usage: npm run faults -- --seeds A..B [--out FILE] [--json] [--keep]
       npm run faults -- --seed N [--keep]
       npm run faults -- --scenario NAME|all [--minutes N] [--keep]
       npm run faults -- --soak FOLDER [--minutes N]
       npm run faults -- --safeguards NAME|all

Starts three workers, two Verifiers behind a balancer, the ingest function and the emulator of OCI as real
processes. Each seed uploads objects while it kills, freezes and disturbs them, then lets the pool come to
rest and checks the invariants. The same seed gives the same objects and the same acts at the same times.
A scenario is one cause that lasts for minutes, with a bound for the time until the pool is whole after it.

options:
  --seeds A..B     run these seeds, many on one deployment
  --seed N         run one seed on a deployment of its own
  --per-site N     seeds per deployment, by default 25
  --audit-every N  audit the evidence after every N seeds of a deployment, by default 5
  --out FILE       append one JSON line per seed; skip the seeds that it holds without a violation
  --json           print the JSON lines on stdout
  --scenario NAME  run this scenario, several with commas between them, or all; see the list below
  --soak FOLDER    steady load and some faults; writes soak.csv and soak.svg into the folder
  --safeguards N   switch this safeguard off in a copy of the code, and expect its seed to fail; or all
  --minutes N      length of the scenario idle, by default 60, or of the soak, by default 20
  --keep           keep the folder of every deployment; those with a violation are always kept
  --help           print this text

exit codes:
  0  all invariants hold
  1  an invariant is violated
  2  the command line is wrong

scenarios:
${SCENARIOS.map(({ name, about }) => `  ${name.padEnd(20)} ${about}`).join('\n')}`

const SEED = {
  expected: 'a whole number from 0 to 4294967295',
  accept: (value: number) => Number.isInteger(value) && value >= 0 && value < 2 ** 32,
}
const COUNT = {
  expected: 'a whole number above 0',
  accept: (value: number) => Number.isInteger(value) && value > 0,
}

/** An object every second and a half keeps three workers busy without filling two cores. */
const SOAK_EVERY_MS = 1500

const { values } = readCommand(HELP, {
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    'per-site': { type: 'string', default: '25' },
    'audit-every': { type: 'string', default: '5' },
    out: { type: 'string' },
    json: { type: 'boolean', default: false },
    scenario: { type: 'string' },
    soak: { type: 'string' },
    safeguards: { type: 'string' },
    minutes: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
})
process.exitCode = await main()

function main(): Promise<number> {
  if (values.scenario !== undefined) return runNamed(values.scenario)
  if (values.soak !== undefined) return runSoak(values.soak)
  if (values.safeguards !== undefined) return runSafeguards(values.safeguards)
  return runSeeds()
}

async function runNamed(names: string): Promise<number> {
  const scenarios = chosen('scenario', names, SCENARIOS)
  const minutes = readNumber('minutes', values.minutes ?? '60', COUNT)
  const report = async (...told: Parameters<typeof sentenceOf>) => console.log(sentenceOf(...told))
  const violated = await runScenarios({ scenarios, minutes, keep: values.keep, onReport: report })
  return violated > 0 ? 1 : 0
}

async function runSafeguards(names: string): Promise<number> {
  let unnoticed = 0
  for (const safeguard of chosen('safeguards', names, SAFEGUARDS)) {
    const { tries, noticed } = await tryWithout(safeguard)
    if (noticed.length === 0) unnoticed += 1
    const found = noticed.length === 0 ? 'NOT NOTICED' : noticed.slice(0, 3).join(', ')
    console.log(`${safeguard.name} · seed ${safeguard.seed} · ${tries} tries · ${found}`)
  }
  return unnoticed > 0 ? 1 : 0
}

/** The rows that an option names, with commas between them, or all. */
function chosen<T extends { readonly name: string }>(
  option: string,
  names: string,
  rows: readonly T[],
): readonly T[] {
  if (names === 'all') return rows
  return names
    .split(',')
    .map(
      (wanted) =>
        rows.find(({ name }) => name === wanted) ??
        endWithUsage(
          `--${option} is "${wanted}", expected all or one of ${rows.map(({ name }) => name).join(', ')}`,
        ),
    )
}

async function runSoak(out: string): Promise<number> {
  const minutes = readNumber('minutes', values.minutes ?? '20', COUNT)
  const report = await soakOnSite({ minutes, everyMs: SOAK_EVERY_MS, out })
  console.log(tableOf(report))
  return report.violations.length === 0 && report.trends.every(({ flat }) => flat) ? 0 : 1
}

async function runSeeds(): Promise<number> {
  const wanted = seedsOf(values)
  const passed = values.out === undefined ? new Set<number>() : await passedIn(values.out)
  const seeds = wanted.filter((seed) => !passed.has(seed))
  const started = performance.now()
  const violated = await runRange({
    seeds,
    seedsPerSite: readNumber('per-site', values['per-site'], COUNT),
    auditEvery: readNumber('audit-every', values['audit-every'], COUNT),
    keep: values.keep,
    onReport,
  })
  const minutes = ((performance.now() - started) / 60_000).toFixed(1)
  console.error(`${seeds.length} seeds in ${minutes} min, ${violated} with a violation`)
  return violated > 0 ? 1 : 0
}

async function onReport(report: RunReport, folder: string): Promise<void> {
  const line = `${JSON.stringify({ ...report, at: new Date().toISOString() })}\n`
  if (values.out !== undefined) await appendFile(values.out, line)
  if (values.json) process.stdout.write(line)
  const { seed, objects, acts, seconds, violations } = report
  const parts = [
    `seed ${seed}`,
    `${objects} objects`,
    `${acts.length} acts`,
    `${seconds.acts} + ${seconds.rest} + ${seconds.verdict} s`,
    violations.length === 0 ? 'ok' : `${violations.length} violations in ${folder}`,
  ]
  console.error(parts.join(' · '))
  for (const { invariant, subject, text } of violations) console.error(`  ${invariant} ${subject}: ${text}`)
}

function seedsOf({ seed, seeds }: typeof values): readonly number[] {
  if (seed !== undefined && seeds === undefined) return [readNumber('seed', seed, SEED)]
  const [, first = '', last = ''] = /^(\d+)\.\.(\d+)$/.exec(seeds ?? '') ?? []
  if (seed !== undefined || first === '')
    endWithUsage(`give either --seed N or --seeds A..B, not "${seeds ?? ''}"`)
  const [low, high] = [readNumber('seeds', first, SEED), readNumber('seeds', last, SEED)]
  if (low > high) endWithUsage(`--seeds is "${seeds}", expected A..B with A up to B`)
  return Array.from({ length: high - low + 1 }, (_, index) => low + index)
}

/** The seeds of an earlier run that need not run again. A file that does not exist yet holds none. */
async function passedIn(file: string): Promise<ReadonlySet<number>> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const reports = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): RunReport => JSON.parse(line))
  return new Set(reports.filter(({ violations }) => violations.length === 0).map(({ seed }) => seed))
}
