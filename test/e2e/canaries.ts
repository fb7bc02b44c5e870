/** Searches files for leaks: words of patients, and keys in every encoding that could have been written. */
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'

export type Canary = { readonly name: string; readonly bytes: Buffer }

export function wordCanaries(words: readonly string[]): readonly Canary[] {
  return words.map((word) => ({ name: word, bytes: Buffer.from(word) }))
}

export function keyCanaries(name: string, key: Buffer): readonly Canary[] {
  return [
    { name: `${name}, raw`, bytes: key },
    ...(['hex', 'base64', 'base64url'] as const).map((encoding) => ({
      name: `${name} in ${encoding}`,
      // The padding depends on what follows the key.
      bytes: Buffer.from(key.toString(encoding).replace(/=+$/, '')),
    })),
  ]
}

/**
 * Returns `<file>: <canary>` for each find below `folder`, except in files whose path begins with one of
 * `except`.
 */
export async function findCanaries(
  folder: string,
  canaries: readonly Canary[],
  except: readonly string[],
): Promise<{ readonly found: readonly string[]; readonly files: number }> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((file) => !except.some((prefix) => file.startsWith(prefix)))
  const found: string[] = []
  for (const file of files) found.push(...findIn(file, await readFile(join(folder, file)), canaries))
  return { found, files: files.length }
}

export function findIn(where: string, bytes: Buffer, canaries: readonly Canary[]): readonly string[] {
  return canaries.filter((canary) => bytes.includes(canary.bytes)).map(({ name }) => `${where}: ${name}`)
}
