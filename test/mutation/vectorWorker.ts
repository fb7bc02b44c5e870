/**
 * A thread that runs the vectors on one mutant after another. Each mutant is a new copy of all modules under
 * `src/`, distinguished by the query of their URLs. Installed packages are loaded once.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { applied, type Mutant } from './mutant.ts'

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
let current: { readonly number: number; readonly mutant: Mutant | undefined; isLoaded: boolean } = {
  number: 0,
  mutant: undefined,
  isLoaded: false,
}
const scripts = new Map<string, string>()

registerHooks({
  resolve(specifier, context, next) {
    const isOurs = context.parentURL?.includes('?mutant=') === true
    if (isOurs && specifier === 'node:crypto') return next(QUICK_CRYPTO, context)
    const found = next(specifier, context)
    return isOurs && found.url.startsWith(SRC)
      ? { ...found, url: `${found.url}?mutant=${current.number}`, format: 'module' }
      : found
  },
  load(url, context, next) {
    const [path, query] = url.split('?')
    if (path === undefined || query === undefined || !path.startsWith(SRC)) return next(url, context)
    return { format: 'module', source: scriptOf(fileURLToPath(path)), shortCircuit: true }
  },
})

function scriptOf(path: string): string {
  const { mutant } = current
  if (mutant !== undefined && path === join(root, mutant.file)) {
    current.isLoaded = true
    return stripTypeScriptTypes(applied(readFileSync(path, 'utf8'), mutant))
  }
  const script = scripts.get(path) ?? stripTypeScriptTypes(readFileSync(path, 'utf8'))
  scripts.set(path, script)
  return script
}

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
async function firstWrong(): Promise<string | undefined> {
  const load = (path: string) => import(`${SRC}${path}?mutant=${current.number}`)
  const { judgeCase }: Judge = await load('core/appraisal/conformanceCase.ts')
  const { TrustStore }: Chain = await load('core/snp/chain.ts')
  const { AMD_ROOTS }: AmdRoots = await load('core/snp/amdRoots.ts')
  const amd = new TrustStore(AMD_ROOTS)
  if (current.mutant !== undefined && !current.isLoaded) return undefined
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
  current = { number: current.number + 1, mutant, isLoaded: false }
  try {
    parentPort?.postMessage(await firstWrong())
  } catch (error) {
    parentPort?.postMessage(`an error: ${error instanceof Error ? error.message : error}`)
  }
})
