/** Where an authority is kept: `<stateDir>/<Product>`, one file a key, a certificate or a secret. */
import { generateKeyPair, type KeyObject, randomBytes } from 'node:crypto'
import { link, mkdir, mkdtemp, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { toHex } from '#core/bytes.ts'

export type AuthorityFiles<Name extends string> = Readonly<Record<Name, Buffer>>

export const newRsaKey = async (): Promise<KeyObject> =>
  (await promisify(generateKeyPair)('rsa', { modulusLength: 4096 })).privateKey

/**
 * The files `names` of `folder`, which `make` fills where it is absent. Of several processes that make it at once one wins, and
 * all return that one's.
 */
export async function keepFolder<Name extends string>(
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
    // Renaming onto a folder that has files fails: then another process has made it meanwhile.
    await rename(draft, folder)
  } catch (error) {
    if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') throw error
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  const made = await readFiles(folder, names)
  if (made === undefined) throw new Error(`what was made in ${folder} vanished`)
  return made
}

/** One more file of a folder: what is there, or what `make` gives. It appears whole; of several that make it one wins. */
export async function keepFile(path: string, make: () => Promise<Buffer>): Promise<Buffer> {
  const kept = await readIfPresent(path)
  if (kept !== undefined) return kept
  const draft = `${path}.${toHex(randomBytes(6))}.new`
  try {
    await writeFile(draft, await make(), { mode: 0o600 })
    // link, unlike rename, refuses a name that is taken.
    await link(draft, path)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    await unlink(draft).catch(() => undefined)
  }
  return await readFile(path)
}

/** Replaces a file as a whole. */
export async function replaceFile(path: string, content: Uint8Array): Promise<void> {
  const draft = `${path}.${toHex(randomBytes(6))}.new`
  await writeFile(draft, content, { mode: 0o600 })
  await rename(draft, path)
}

async function readFiles<Name extends string>(
  folder: string,
  names: readonly Name[],
): Promise<AuthorityFiles<Name> | undefined> {
  const files: Partial<Record<Name, Buffer>> = {}
  for (const name of names) {
    const content = await readIfPresent(join(folder, name))
    if (content === undefined) return undefined
    files[name] = content
  }
  // The loop has filled every name.
  return files as AuthorityFiles<Name>
}

async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
