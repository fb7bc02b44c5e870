/** Which sources a test file runs, by its imports. A source that it does not import cannot make it red. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const IMPORT = /(?:from|import\(|import)\s*'([^']+)'/g
/** The aliases of package.json, without their `#`. */
const ALIASES: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
).imports

const known = new Map<string, ReadonlyMap<string, number>>()

/** How many imports lead from a test file to a source; undefined if none do. Paths are relative to `root`. */
export function distance(root: string, test: string, source: string): number | undefined {
  const distances = known.get(test) ?? distancesFrom(root, test)
  known.set(test, distances)
  return distances.get(source)
}

function distancesFrom(root: string, test: string): ReadonlyMap<string, number> {
  const distances = new Map([[test, 0]])
  // A Map visits what is added during the visit: breadth first.
  for (const [path, steps] of distances)
    for (const imported of importsOf(root, path))
      if (!distances.has(imported)) distances.set(imported, steps + 1)
  return distances
}

function importsOf(root: string, path: string): readonly string[] {
  if (!path.endsWith('.ts')) return []
  return [...readFileSync(join(root, path), 'utf8').matchAll(IMPORT)].flatMap(([, specifier = '']) => {
    if (specifier.startsWith('.')) return join(dirname(path), specifier)
    const [alias, ...rest] = specifier.split('/')
    const folder = ALIASES[`${alias}/*`]
    return folder === undefined ? [] : join(folder.replace('*', ''), ...rest)
  })
}
