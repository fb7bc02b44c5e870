/**
 * `npm run mutate`: changes the source of the report verifier, of policies and releases, of jobs, of sealed
 * objects and of configurations, one change at a time, and finds changes that no test notices.
 */
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { endWithUsage, readCommand } from '../toolCommand.ts'
import { EQUIVALENTS, mutantsOfRow, reasonsOf } from './equivalents.ts'
import { distance } from './imports.ts'
import { describe, type Mutant, type Outcome } from './mutant.ts'
import { UnitThread, VectorThread } from './pool.ts'
import { AREAS, isMutated, mutantsOf, suiteOf } from './sources.ts'

const REPOSITORY = resolve(import.meta.dirname, '../..')

/** Test files that run as vectors, and those that need files from outside the repository. */
const ELSEWHERE = ['test/core/snp/vectors.test.ts', 'test/core/snp/fixtures.test.ts']

type Tried = { readonly mutant: Mutant; readonly outcome: Outcome }

const HELP = `usage: npm run mutate -- [AREA…] [--vectors] [--json] [--jobs NUMBER]

Changes the sources of these areas in every way of test/mutation/operators.ts, one change at a time, and runs
their vectors and then their unit tests until one fails. It prints the changes that survive. It works on a copy,
so edits during a run have no effect.

AREA is the beginning of a path below src, such as core/snp/crl. It must be within one of these, and all of them
are taken without one:
${AREAS.map((area) => `  ${area}`).join('\n')}

options:
  --vectors  run only the vectors
  --json     print every change and its outcome as JSON
  --jobs     how many changes at a time, by default one per processor
  --help     print this text

exit codes:
  0  every change is noticed or listed in test/mutation/equivalents.ts, and no row there is stale
  1  a change survives, or a row is stale
  2  the command line is wrong`

const { values: options, positionals } = readCommand(HELP, {
  allowPositionals: true,
  options: {
    vectors: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    jobs: { type: 'string', default: String(availableParallelism()) },
  },
})
const jobs = Number(options.jobs)
if (!Number.isSafeInteger(jobs) || jobs < 1)
  endWithUsage(`--jobs is ${options.jobs}, expected a number from 1`)
const areas = positionals.length === 0 ? [''] : positionals
for (const area of areas)
  if (!hasSource(area))
    endWithUsage(`no source below src begins with "${area}", expected one within ${AREAS.join(', ')}`)
// The run uses a copy, so edits during the run have no effect.
const root = mkdtempSync(join(tmpdir(), 'confidential-worker-mutation-'))

async function mutate(): Promise<number> {
  const mutants = mutantsOf(root, areas)
  const reasons = options.vectors ? new Map<Mutant, string>() : reasonsOf(mutants)
  progress(`${mutants.length} mutants`)
  await assertGreen(mutants)
  const tried = await inParallel(mutants, () => {
    const threads = { vectors: new VectorThread(root), units: new UnitThread(root) }
    return {
      try: (mutant) => outcomeOf(mutant, threads, reasons.get(mutant)),
      end: async () => {
        await threads.vectors.end()
        await threads.units.end()
      },
    }
  })
  report(tried)
  const stale = options.vectors ? [] : staleOf(mutants)
  for (const row of stale) say(`listed as equivalent, but no such change: ${row}`)
  return tried.some(({ outcome }) => outcome.kind === 'survived') || stale.length > 0 ? 1 : 0
}

type Threads = { readonly vectors: VectorThread; readonly units: UnitThread }

async function outcomeOf(mutant: Mutant, threads: Threads, reason: string | undefined): Promise<Outcome> {
  if (reason !== undefined) return { kind: 'equivalent', reason }
  const vector = suiteOf(mutant.file)?.hasVectors === true ? await threads.vectors.try(mutant) : undefined
  if (vector !== undefined) return { kind: 'killed', by: `vector ${vector}` }
  if (options.vectors) return { kind: 'survived' }
  const red = await threads.units.try(mutant, unitsFor(mutant))
  if (red === undefined) return { kind: 'survived' }
  await expectGreen(red.file, threads.units)
  lastRed.set(mutant.file, red.file)
  return { kind: 'killed', by: `test ${red.name}` }
}

/** By source, the test file that noticed a change of it last. It often notices the neighbouring ones too. */
const lastRed = new Map<string, string>()

/**
 * The test files that run the mutant's source, except `ELSEWHERE`: the one that was red last, then its own, then
 * the nearest, then the others.
 */
function unitsFor({ file }: Mutant): readonly string[] {
  const all = (suiteOf(file)?.tests.flatMap(testsIn) ?? [])
    .map((path) => ({ path, steps: distance(root, path, file) ?? Number.POSITIVE_INFINITY }))
    .filter(({ steps }) => Number.isFinite(steps))
    .toSorted((a, b) => a.steps - b.steps)
    .map(({ path }) => path)
  const last = all.filter((path) => path === lastRed.get(file))
  const own = all.filter(
    (path) => !last.includes(path) && basename(path).split('.')[0] === basename(file, '.ts'),
  )
  const others = all.filter((path) => !last.includes(path) && !own.includes(path))
  return [...last, ...own, ...others]
}

/** The test files in a folder, or the one file. */
function testsIn(folder: string): readonly string[] {
  if (folder.endsWith('.test.ts')) return [folder]
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => join(folder, path))
    .filter((path) => !ELSEWHERE.includes(path))
    .toSorted()
}

/** Throws if a vector fails without any change, since it would notice every change. */
async function assertGreen(mutants: readonly Mutant[]): Promise<void> {
  if (!mutants.some(({ file }) => suiteOf(file)?.hasVectors === true)) return
  const thread = new VectorThread(root)
  const vector = await thread.try(undefined)
  await thread.end()
  if (vector !== undefined) throw new Error(`fails without any change: ${vector}`)
}

const green = new Map<string, Promise<void>>()

/** Throws if the test file fails without any change. Asked once of each file that has noticed a change. */
function expectGreen(file: string, thread: UnitThread): Promise<void> {
  const check = async () => {
    const red = await thread.try(undefined, [file])
    if (red !== undefined) throw new Error(`fails without any change: ${file}: ${red.name}`)
  }
  const known = green.get(file) ?? check()
  green.set(file, known)
  return known
}

type Runner = { readonly try: (mutant: Mutant) => Promise<Outcome>; readonly end: () => Promise<void> }

async function inParallel(mutants: readonly Mutant[], openRunner: () => Runner): Promise<readonly Tried[]> {
  const waiting = mutants.entries()
  const tried: Tried[] = []
  let count = 0
  const work = async (runner: Runner): Promise<void> => {
    for (const [index, mutant] of waiting) {
      const outcome = await runner.try(mutant)
      tried[index] = { mutant, outcome }
      count += 1
      if (count % 100 === 0) progress(`${count} of ${mutants.length}`)
      if (outcome.kind === 'survived') progress(`survived  ${describe(mutant)}`)
    }
    await runner.end()
  }
  await Promise.all(Array.from({ length: jobs }, () => work(openRunner())))
  return tried
}

function report(tried: readonly Tried[]): void {
  if (options.json) {
    say(JSON.stringify(tried.map(({ mutant, outcome }) => ({ ...mutant, ...outcome }))))
    return
  }
  const count = (kind: Outcome['kind'], by = '') =>
    tried.filter(({ outcome }) => outcome.kind === kind && (!('by' in outcome) || outcome.by.startsWith(by)))
      .length
  say(
    `${tried.length} mutants: ${count('killed', 'vector')} noticed by vectors, ${count('killed', 'test')} by tests, ` +
      `${count('equivalent')} listed as equivalent, ${count('survived')} survived`,
  )
  for (const { mutant, outcome } of tried)
    if (outcome.kind === 'survived') say(`${describe(mutant)}\n    ${mutant.text}`)
}

/** The rows of equivalents.ts in these areas whose mutant no longer exists. */
function staleOf(mutants: readonly Mutant[]): readonly string[] {
  return EQUIVALENTS.filter(({ file }) => areas.some((area) => file.startsWith(`src/${area}`)))
    .filter((row) => mutantsOfRow(row, mutants).length === 0)
    .map(({ file, within, operator, change }) => `${file}: ${operator}: ${change} in ${within}`)
}

function hasSource(start: string): boolean {
  return readdirSync(join(REPOSITORY, 'src'), { recursive: true, encoding: 'utf8' }).some(
    (path) => path.startsWith(start) && path.endsWith('.ts') && isMutated(`src/${path}`),
  )
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`)
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

try {
  for (const name of ['src', 'lab', 'test', 'docs', 'systemd', 'package.json', 'tsconfig.json'])
    cpSync(join(REPOSITORY, name), join(root, name), { recursive: true })
  symlinkSync(join(REPOSITORY, 'node_modules'), join(root, 'node_modules'))
  process.exitCode = await mutate()
} finally {
  rmSync(root, { recursive: true, force: true })
}
