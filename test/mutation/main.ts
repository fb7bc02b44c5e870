/**
 * `npm run mutate -- [AREA] [--vectors] [--json]`: changes the verifier's source in every way of operators.ts, one at a time, and
 * says which changes no vector and no test notices. AREA is the beginning of a path below src/core, such as `snp/crl`.
 *
 * Exit 0 where every change is noticed or listed in equivalents.ts, and nothing is listed there in vain.
 */
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { EQUIVALENTS, reasonOf } from './equivalents.ts'
import { describe, type Mutant, type Outcome } from './mutant.ts'
import { runUnits, VectorThread } from './pool.ts'
import { mutantsOf } from './sources.ts'

const REPOSITORY = resolve(import.meta.dirname, '../..')

/** Test files that are run as vectors, and those that need files from outside the repository. */
const ELSEWHERE = ['vectors.test.ts', 'fixtures.test.ts']

type Tried = { readonly mutant: Mutant; readonly outcome: Outcome }

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { vectors: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
})
const [area = ''] = positionals
// What is edited meanwhile changes nothing: the run is over a copy.
const root = mkdtempSync(join(tmpdir(), 'confidential-worker-mutation-'))

async function mutate(): Promise<number> {
  const mutants = mutantsOf(root, area)
  progress(`${mutants.length} mutants`)
  await assertGreen()
  const tried = await inParallel(mutants, () => {
    const thread = new VectorThread(root)
    return { try: (mutant) => outcomeOf(mutant, thread), end: () => thread.end() }
  })
  report(tried)
  const stale = options.vectors ? [] : staleOf(mutants)
  for (const row of stale) say(`listed as equivalent, and not there: ${row}`)
  return tried.some(({ outcome }) => outcome.kind === 'survived') || stale.length > 0 ? 1 : 0
}

async function outcomeOf(mutant: Mutant, thread: VectorThread): Promise<Outcome> {
  const reason = reasonOf(mutant)
  if (reason !== undefined && !options.vectors) return { kind: 'equivalent', reason }
  const vector = await thread.try(mutant)
  if (vector !== undefined) return { kind: 'killed', by: `vector ${vector}` }
  if (options.vectors) return { kind: 'survived' }
  for (const files of unitsFor(mutant)) {
    const test = await runUnits(root, mutant, files)
    if (test !== undefined) return { kind: 'killed', by: `test ${test}` }
  }
  return { kind: 'survived' }
}

/** Test files of the mutant's own source first, then all others of the verifier. Those that need files from elsewhere are left out. */
function unitsFor({ file }: Mutant): readonly (readonly string[])[] {
  const all = ['test/core/snp', 'test/core/appraisal'].flatMap(testsIn)
  const own = all.filter((path) => basename(path).split('.')[0] === basename(file, '.ts'))
  return [own, all.filter((path) => !own.includes(path))].filter((files) => files.length > 0)
}

function testsIn(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts') && !ELSEWHERE.includes(path))
    .toSorted()
    .map((path) => join(folder, path))
}

/** A suite that is red already notices everything. */
async function assertGreen(): Promise<void> {
  const thread = new VectorThread(root)
  const vector = await thread.try(undefined)
  await thread.end()
  const all = ['test/core/snp', 'test/core/appraisal'].flatMap(testsIn)
  const test = vector === undefined && !options.vectors ? await runUnits(root, undefined, all) : undefined
  if (vector !== undefined || test !== undefined) throw new Error(`red without any change: ${vector ?? test}`)
}

type Hand = { readonly try: (mutant: Mutant) => Promise<Outcome>; readonly end: () => Promise<void> }

async function inParallel(mutants: readonly Mutant[], hire: () => Hand): Promise<readonly Tried[]> {
  const waiting = mutants.entries()
  const tried: Tried[] = []
  const work = async (hand: Hand): Promise<void> => {
    for (const [index, mutant] of waiting) {
      const outcome = await hand.try(mutant)
      tried[index] = { mutant, outcome }
      if (outcome.kind === 'survived') progress(`survived  ${describe(mutant)}`)
    }
    await hand.end()
  }
  await Promise.all(Array.from({ length: availableParallelism() }, () => work(hire())))
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

/** Rows of equivalents.ts, of this area, that are no mutant any more. */
function staleOf(mutants: readonly Mutant[]): readonly string[] {
  return EQUIVALENTS.filter(({ file }) => file.startsWith(`src/core/${area}`))
    .filter((row) => !mutants.some((mutant) => reasonOf(mutant, [row]) !== undefined))
    .map(({ file, line, change }) => `${file}: ${change} in ${line}`)
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`)
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

try {
  for (const name of ['src', 'lab', 'test', 'package.json', 'tsconfig.json'])
    cpSync(join(REPOSITORY, name), join(root, name), { recursive: true })
  symlinkSync(join(REPOSITORY, 'node_modules'), join(root, 'node_modules'))
  process.exitCode = await mutate()
} finally {
  rmSync(root, { recursive: true, force: true })
}
