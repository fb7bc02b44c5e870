/** The source files to change, and all changes of them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { API } from 'typescript/unstable/sync'
import type { Mutant } from './mutant.ts'
import { changesOf } from './operators.ts'

type Suite = {
  /** Beginnings of paths below `src/`. */
  readonly sources: readonly string[]
  /** The tests that must notice a change: folders and files, the quick ones first. */
  readonly tests: readonly string[]
  /** True if the vectors of test/vectors/snp run on the sources. */
  readonly hasVectors: boolean
}

/** AMD's certificates are data, which a test compares. */
const DATA = /amdRoots\.ts$/
const SUITES: readonly Suite[] = [
  {
    sources: ['core/snp/', 'core/appraisal/', 'core/policy/referenceSchema.ts'],
    tests: ['test/core/snp', 'test/core/appraisal', 'test/core/policy'],
    hasVectors: true,
  },
  {
    sources: ['core/policy/', 'core/release/'],
    tests: [
      'test/core/policy',
      'test/core/release',
      'test/vectors/release',
      'test/worker/about.test.ts',
      'test/docs/formats.test.ts',
    ],
    hasVectors: false,
  },
  {
    sources: ['core/job/'],
    tests: ['test/core/job', 'test/docs/life.test.ts', 'test/docs/formats.test.ts'],
    hasVectors: false,
  },
  {
    sources: ['core/sealed/'],
    tests: [
      'test/vectors/sealed',
      'test/contract/segmentCipher.test.ts',
      'test/core/sealed',
      'test/docs/formats.test.ts',
    ],
    hasVectors: false,
  },
  {
    // Everything that reads a configuration file, but for the grammars of single fields.
    sources: [
      'adapters/http/origin.ts',
      'adapters/oci/config.ts',
      'adapters/system/configFile.ts',
      'cli/config.ts',
      'function/config.ts',
      'verifier/config.ts',
      'worker/config.ts',
    ],
    tests: [
      'test/adapters/http/origin.test.ts',
      'test/adapters/oci/config.test.ts',
      'test/adapters/system/configFile.test.ts',
      'test/cli/config.test.ts',
      'test/function/config.test.ts',
      'test/verifier/config.test.ts',
      'test/worker/config.test.ts',
      'test/worker/memory.test.ts',
    ],
    hasVectors: false,
  },
]
export const AREAS = SUITES.flatMap(({ sources }) => sources)

/** The suite of a path like `src/core/snp/der.ts`; undefined for a source that is not changed. */
export function suiteOf(path: string): Suite | undefined {
  if (DATA.test(path)) return undefined
  return SUITES.find(({ sources }) => sources.some((start) => path.startsWith(`src/${start}`)))
}

export function isMutated(path: string): boolean {
  return suiteOf(path) !== undefined
}

/** `areas` are beginnings of paths below `src/`, such as `core/snp/der`; an empty one for all. */
export function mutantsOf(root: string, areas: readonly string[]): readonly Mutant[] {
  const api = new API({ cwd: root })
  try {
    const snapshot = api.updateSnapshot({ openProject: join(root, 'tsconfig.json') })
    const program = snapshot.getProjects()[0]?.program
    if (program === undefined) throw new Error('the compiler opened no project')
    const files = program
      .getSourceFileNames()
      .map((name) => name.slice(root.length + 1))
      .filter((name) => isMutated(name))
      .filter((name) => areas.some((area) => name.startsWith(`src/${area}`)))
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
