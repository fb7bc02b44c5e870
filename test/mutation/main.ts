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
import { runUnits, VectorThread } from './pool.ts'
import { AREAS, isMutated, mutantsOf, suiteOf } from './sources.ts'

const REPOSITORY = resolve(import.meta.dirname, '../..')

/** Test files that run as vectors, and those that need files from outside the repository. */
const ELSEWHERE = ['test/core/snp/vectors.test.ts', 'test/core/snp/fixtures.test.ts']

/** Limits of processor time, which does not depend on the load of the machine: without a change, and with one. */
const FIRST_MS = 300_000
const LEAST_MS = 3_000

/** So many test files are loaded before the rest, which few mutants need. */
const NEAR = 3

type Tried = { readonly mutant: Mutant; readonly outcome: Outcome }

const HELP = `usage: npm run mutate -- [AREA…] [--vectors] [--json]

Changes the sources of these areas in every way of test/mutation/operators.ts, one change at a time, and runs
their vectors and then their unit tests until one fails. It prints the changes that survive. It works on a copy,
so edits during a run have no effect.

AREA is the beginning of a path below src, such as core/snp/crl. It must be within one of these, and all of them
are taken without one:
${AREAS.map((area) => `  ${area}`).join('\n')}

options:
  --vectors  run only the vectors
  --json     print every change and its outcome as JSON
  --help     print this text

exit codes:
  0  every change is noticed or listed in test/mutation/equivalents.ts, and no row there is stale
  1  a change survives, or a row is stale
  2  the command line is wrong`

const { values: options, positionals } = readCommand(HELP, {
  allowPositionals: true,
  options: { vectors: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
})
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
    const thread = new VectorThread(root)
    return {
      try: (mutant) => outcomeOf(mutant, thread, reasons.get(mutant)),
      end: () => thread.end(),
    }
  })
  report(tried)
  const stale = options.vectors ? [] : staleOf(mutants)
  for (const row of stale) say(`listed as equivalent, but no such change: ${row}`)
  return tried.some(({ outcome }) => outcome.kind === 'survived') || stale.length > 0 ? 1 : 0
}

async function outcomeOf(mutant: Mutant, thread: VectorThread, reason: string | undefined): Promise<Outcome> {
  if (reason !== undefined) return { kind: 'equivalent', reason }
  const vector = suiteOf(mutant.file)?.hasVectors === true ? await thread.try(mutant) : undefined
  if (vector !== undefined) return { kind: 'killed', by: `vector ${vector}` }
  if (options.vectors) return { kind: 'survived' }
  for (const files of unitsFor(mutant)) {
    const { failed } = await runUnits(root, mutant, files, await limitOf(files))
    if (failed !== undefined) return { kind: 'killed', by: `test ${failed}` }
  }
  return { kind: 'survived' }
}

/**
 * The test files that run the mutant's source, except `ELSEWHERE`: its own first, then the nearest, then the
 * others.
 */
function unitsFor({ file }: Mutant): readonly (readonly string[])[] {
  const all = (suiteOf(file)?.tests.flatMap(testsIn) ?? [])
    .map((path) => ({ path, steps: distance(root, path, file) ?? Number.POSITIVE_INFINITY }))
    .filter(({ steps }) => Number.isFinite(steps))
    .toSorted((a, b) => a.steps - b.steps)
  const isOwn = (path: string) => basename(path).split('.')[0] === basename(file, '.ts')
  const own = all.filter(({ path }) => isOwn(path))
  const others = all.filter(({ path }) => !isOwn(path))
  const near = others.slice(0, NEAR)
  return [own, near, others.slice(NEAR)]
    .map((group) => group.map(({ path }) => path))
    .filter((files) => files.length > 0)
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

/** Throws if the unchanged suite fails, since it would notice every change. */
async function assertGreen(mutants: readonly Mutant[]): Promise<void> {
  if (mutants.some(({ file }) => suiteOf(file)?.hasVectors === true)) {
    const thread = new VectorThread(root)
    const vector = await thread.try(undefined)
    await thread.end()
    if (vector !== undefined) throw new Error(`fails without any change: ${vector}`)
  }
  const suites = options.vectors ? [] : new Set(mutants.map(({ file }) => suiteOf(file)))
  for (const suite of suites) await limitOf(suite?.tests.flatMap(testsIn) ?? [])
}

const limits = new Map<string, Promise<number>>()

/** The limit for these test files, from their own processor time on the unchanged source. */
function limitOf(files: readonly string[]): Promise<number> {
  const key = files.join()
  const known = limits.get(key) ?? measuredLimit(files)
  limits.set(key, known)
  return known
}

async function measuredLimit(files: readonly string[]): Promise<number> {
  const { failed, milliseconds } = await runUnits(root, undefined, files, FIRST_MS)
  if (failed !== undefined) throw new Error(`fails without any change: ${failed}`)
  return LEAST_MS + 2 * milliseconds
}

type Runner = { readonly try: (mutant: Mutant) => Promise<Outcome>; readonly end: () => Promise<void> }

async function inParallel(mutants: readonly Mutant[], openRunner: () => Runner): Promise<readonly Tried[]> {
  const waiting = mutants.entries()
  const tried: Tried[] = []
  const work = async (runner: Runner): Promise<void> => {
    for (const [index, mutant] of waiting) {
      const outcome = await runner.try(mutant)
      tried[index] = { mutant, outcome }
      if (outcome.kind === 'survived') progress(`survived  ${describe(mutant)}`)
    }
    await runner.end()
  }
  await Promise.all(Array.from({ length: availableParallelism() }, () => work(openRunner())))
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
