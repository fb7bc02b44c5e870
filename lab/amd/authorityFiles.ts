/** The files of an authority in `<stateDir>/<Product>`: one file per key, certificate or secret. */
import { generateKeyPair, type KeyObject } from 'node:crypto'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readIfPresent } from '#adapters/system/files.ts'

const MAX_FILE_BYTES = 64 * 1024

export type AuthorityFiles<Name extends string> = Readonly<Record<Name, Buffer>>

export const newRsaKey = async (): Promise<KeyObject> =>
  (await promisify(generateKeyPair)('rsa', { modulusLength: 4096 })).privateKey

/**
 * Reads the files `names` of `folder`. If the folder is absent, creates it with what `make` returns. If
 * several processes create it at once, one wins, and all return its files.
 */
export async function readOrCreateFolder<Name extends string>(
  folder: string,
  names: readonly Name[],
  make: () => Promise<AuthorityFiles<Name>>,
): Promise<AuthorityFiles<Name>> {
  const kept = await readFiles(folder, names)
  if (kept !== undefined) return kept
  const parent = join(folder, '..')
  await mkdir(parent, { recursive: true, mode: 0o700 })
  const draft = await mkdtemp(join(parent, '.authority-'))
  try {
    const made = await make()
    for (const name of names) await writeFile(join(draft, name), made[name], { mode: 0o600 })
    // Renaming onto a folder with files fails: another process has created it meanwhile.
    await rename(draft, folder)
  } catch (error) {
    if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') throw error
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  const made = await readFiles(folder, names)
  if (made === undefined) throw new Error(`the files just created in ${folder} are gone`)
  return made
}

async function readFiles<Name extends string>(
  folder: string,
  names: readonly Name[],
): Promise<AuthorityFiles<Name> | undefined> {
  const files: Partial<Record<Name, Buffer>> = {}
  for (const name of names) {
    const content = await readIfPresent(join(folder, name), MAX_FILE_BYTES, 'config.invalid')
    if (content === undefined) return undefined
    files[name] = content
  }
  // The loop has filled every name.
  return files as AuthorityFiles<Name>
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
