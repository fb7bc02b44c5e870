/**
 * A thread that runs the vectors on one mutant after another. Each mutant is a new copy of all modules under
 * `src/`, distinguished by the query of their URLs. Installed packages are loaded once.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { MutantLoader } from './loader.ts'
import type { Mutant } from './mutant.ts'

/** The functions of the code under test by their shape: the types of each copy are different types. */
type Judge = {
  readonly judgeCase: (
    text: Uint8Array,
    amd: unknown,
  ) => {
    readonly result: { readonly verdict: string; readonly reasons: readonly { readonly code: string }[] }
  }
}
type Chain = { readonly TrustStore: new (roots: unknown) => unknown }
type AmdRoots = { readonly AMD_ROOTS: unknown }
type Row = { readonly name: string; readonly text: Buffer; readonly expect: string }

const { root } = workerData as { readonly root: string }
const QUICK_CRYPTO = new URL('./quickCrypto.ts', import.meta.url).href
const SRC = pathToFileURL(join(root, 'src/')).href
const loader = new MutantLoader(root, ['src'], { 'node:crypto': QUICK_CRYPTO })

const { casesOf } = await import(pathToFileURL(join(root, 'test/vectors/snp/vector.ts')).href)
const folder = join(root, 'test/vectors/snp')
const rows: Row[] = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .flatMap((file) => {
    const area = JSON.parse(readFileSync(join(folder, file), 'utf8'))
    return casesOf(area).map((row: { name: string; expect: unknown }) => ({
      name: `${area.area}: ${row.name}`,
      text: Buffer.from(JSON.stringify(row)),
      expect: JSON.stringify(row.expect),
    }))
  })

/** The name of a vector whose verdict has changed; undefined if there is none. */
async function firstWrong(mutant: Mutant | undefined): Promise<string | undefined> {
  loader.take(mutant)
  const load = (path: string) => loader.load(`${SRC}${path}`)
  const { judgeCase } = (await load('core/appraisal/conformanceCase.ts')) as Judge
  const { TrustStore } = (await load('core/snp/chain.ts')) as Chain
  const { AMD_ROOTS } = (await load('core/snp/amdRoots.ts')) as AmdRoots
  const amd = new TrustStore(AMD_ROOTS)
  if (mutant !== undefined && !loader.isLoaded) return undefined
  const at = rows.findIndex(({ text, expect }) => {
    const { verdict, reasons } = judgeCase(text, amd).result
    return JSON.stringify({ verdict, codes: reasons.map(({ code }) => code) }) !== expect
  })
  const [row] = at === -1 ? [] : rows.splice(at, 1)
  // Neighbouring changes are often noticed by the same vector.
  if (row !== undefined) rows.unshift(row)
  return row?.name
}

parentPort?.on('message', async (mutant: Mutant | undefined) => {
  try {
    parentPort?.postMessage({ by: await firstWrong(mutant) })
  } catch (error) {
    parentPort?.postMessage({ by: `an error: ${error instanceof Error ? error.message : error}` })
  }
})
