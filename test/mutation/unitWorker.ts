/**
 * A thread that runs test files on one mutant after another. Each mutant is a new copy of all modules under
 * `src/` and `test/`, distinguished by the query of their URLs. Installed packages are loaded once, so a mutant
 * costs a fifth of a process of its own.
 */

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { MutantLoader } from './loader.ts'
import type { Mutant } from './mutant.ts'
import type { PlainTest } from './plainTest.ts'

export type UnitJob = { readonly mutant: Mutant | undefined; readonly files: readonly string[] }
/** `file`: its tests come next. `done`: the first test that failed, and its file; undefined if none did. */
export type UnitReport =
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'done'; readonly red: Red | undefined }
type Red = { readonly name: string; readonly file: string }

const { root } = workerData as { readonly root: string }
const PLAIN_TEST = pathToFileURL(join(root, 'test/mutation/plainTest.ts')).href
const loader = new MutantLoader(root, ['src', 'test'], { 'node:test': PLAIN_TEST })

/** What went wrong outside of any test: an unhandled rejection. */
let stray: unknown

process.on('unhandledRejection', (reason) => {
  stray = reason ?? new Error('a rejection without a reason')
})

async function firstRed({ mutant, files }: UnitJob): Promise<Red | undefined> {
  loader.take(mutant)
  stray = undefined
  const { takeTests } = (await loader.load(PLAIN_TEST)) as typeof import('./plainTest.ts')
  for (const file of files) {
    report({ kind: 'file', file })
    try {
      await loader.load(pathToFileURL(join(root, file)).href)
    } catch (error) {
      return { name: `does not load: ${error}`, file }
    }
    const { tests, end } = takeTests()
    const name = await firstRedOf(tests)
    await end()
    if (name !== undefined) return { name, file }
  }
  return undefined
}

async function firstRedOf(tests: readonly PlainTest[]): Promise<string | undefined> {
  for (const { name, run } of tests)
    try {
      await run()
      await new Promise(setImmediate)
      if (stray !== undefined) return name
    } catch {
      return name
    }
  return undefined
}

function report(said: UnitReport): void {
  parentPort?.postMessage(said)
}

parentPort?.on('message', async (job: UnitJob) => report({ kind: 'done', red: await firstRed(job) }))
