/**
 * Reads the imports of TypeScript files as text: static and dynamic, of values and of types, and re-exports.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const SPECIFIER = /\b(?:from|import)\s*\(?\s*'([^']+)'/g

/** Both from the root of the repository; imports of packages are left out. */
export type Import = { readonly from: string; readonly to: string }

export function importsBelow(folder: string): readonly Import[] {
  const aliases = aliasesOf(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => {
      const from = join(folder, name)
      const specifiers = readFileSync(join(ROOT, from), 'utf8').matchAll(SPECIFIER)
      return [...specifiers].flatMap(([, specifier = '']) => {
        const to = pathOf(from, specifier, aliases)
        return to === undefined ? [] : [{ from, to }]
      })
    })
}

/** `#core/` → `src/core/`, as package.json says. */
function aliasesOf(manifest: string): ReadonlyMap<string, string> {
  const { imports } = JSON.parse(manifest) as { readonly imports: Readonly<Record<string, string>> }
  return new Map(
    Object.entries(imports).map(([name, path]) => [name.replace('*', ''), normalize(path.replace('*', ''))]),
  )
}

function pathOf(from: string, specifier: string, aliases: ReadonlyMap<string, string>): string | undefined {
  if (specifier.startsWith('.')) return normalize(join(dirname(from), specifier))
  for (const [alias, folder] of aliases)
    if (specifier.startsWith(alias)) return join(folder, specifier.slice(alias.length))
  return undefined
}
