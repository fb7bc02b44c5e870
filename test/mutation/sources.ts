/** The source files to change, and all changes of them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { API } from 'typescript/unstable/sync'
import type { Mutant } from './mutant.ts'
import { changesOf } from './operators.ts'

type Suite = {
  /** Beginnings of paths below `src/core/`. */
  readonly sources: readonly string[]
  /** The folders of the tests that must notice a change. */
  readonly tests: readonly string[]
  /** True if the vectors of test/vectors/snp run on the sources. */
  readonly hasVectors: boolean
}

/** AMD's certificates are data, which a test compares. */
const DATA = /amdRoots\.ts$/
export const SUITES: readonly Suite[] = [
  {
    sources: ['snp/', 'appraisal/', 'policy/policy.ts', 'policy/referenceSchema.ts'],
    tests: ['test/core/snp', 'test/core/appraisal', 'test/core/policy'],
    hasVectors: true,
  },
  { sources: ['job/'], tests: ['test/core/job'], hasVectors: false },
  { sources: ['sealed/'], tests: ['test/core/sealed', 'test/vectors/sealed'], hasVectors: false },
]
export const AREAS = SUITES.flatMap(({ sources }) => sources)

/** The suite of a path like `src/core/snp/der.ts`; undefined for a source that is not changed. */
export function suiteOf(path: string): Suite | undefined {
  if (DATA.test(path)) return undefined
  return SUITES.find(({ sources }) => sources.some((start) => path.startsWith(`src/core/${start}`)))
}

export function isMutated(path: string): boolean {
  return suiteOf(path) !== undefined
}

/** `area` is the beginning of a path below `src/core/`, such as `snp/der`; empty for all. */
export function mutantsOf(root: string, area: string): readonly Mutant[] {
  const api = new API({ cwd: root })
  try {
    const snapshot = api.updateSnapshot({ openProject: join(root, 'tsconfig.json') })
    const program = snapshot.getProjects()[0]?.program
    if (program === undefined) throw new Error('the compiler opened no project')
    const files = program
      .getSourceFileNames()
      .map((name) => name.slice(root.length + 1))
      .filter((name) => isMutated(name))
      .filter((name) => name.startsWith(`src/core/${area}`))
    return files.toSorted().flatMap((file) => {
      const source = program.getSourceFile(join(root, file))
      return source === undefined ? [] : changesOf(source).map((change) => located(root, file, change))
    })
  } finally {
    api.close()
  }
}

function located(root: string, file: string, change: Omit<Mutant, 'file' | 'line' | 'text' | 'was'>): Mutant {
  const source = readFileSync(join(root, file), 'utf8')
  const before = source.slice(0, change.start).split('\n')
  const line = before.length
  return {
    ...change,
    file,
    line,
    text: (source.split('\n')[line - 1] ?? '').trim(),
    was: source.slice(change.start, change.end).replace(/\s+/g, ' ').slice(0, 100),
  }
}
