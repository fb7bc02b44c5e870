/** Loads modules with one change: each mutant is a new copy of all modules in the given folders. */
import { readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { applied, type Mutant } from './mutant.ts'

const QUERY = '?mutant='

export class MutantLoader {
  readonly #root: string
  readonly #scripts = new Map<string, string>()
  #number = 0
  #mutant: Mutant | undefined
  #isLoaded = false

  /** `replaced`: modules of Node, and what the code under test gets in their place. */
  constructor(root: string, folders: readonly string[], replaced: Readonly<Record<string, string>>) {
    this.#root = root
    const copied = folders.map((folder) => pathToFileURL(join(root, folder, '/')).href)
    const isCopied = (url: string) => copied.some((start) => url.startsWith(start))
    registerHooks({
      resolve: (specifier, context, next) => {
        if (context.parentURL?.includes(QUERY) !== true) return next(specifier, context)
        const found = next(replaced[specifier] ?? specifier, context)
        return isCopied(found.url) && !found.url.endsWith('.json')
          ? { ...found, url: `${found.url}${QUERY}${this.#number}`, format: 'module' }
          : found
      },
      load: (url, context, next) => {
        const [path, number] = url.split(QUERY)
        if (path === undefined || number === undefined) return next(url, context)
        return { format: 'module', source: this.#scriptOf(fileURLToPath(path)), shortCircuit: true }
      },
    })
  }

  /** The next loads are of this mutant, or of the unchanged source. */
  take(mutant: Mutant | undefined): void {
    this.#number += 1
    this.#mutant = mutant
    this.#isLoaded = false
  }

  /** True if the changed source was among what was loaded. */
  get isLoaded(): boolean {
    return this.#isLoaded
  }

  load(url: string): Promise<unknown> {
    return import(`${url}${QUERY}${this.#number}`)
  }

  #scriptOf(path: string): string {
    if (this.#mutant !== undefined && path === join(this.#root, this.#mutant.file)) {
      this.#isLoaded = true
      return stripTypeScriptTypes(applied(readFileSync(path, 'utf8'), this.#mutant))
    }
    const script = this.#scripts.get(path) ?? stripTypeScriptTypes(readFileSync(path, 'utf8'))
    this.#scripts.set(path, script)
    return script
  }
}
