/** Files that the first start creates and every later start reads. */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createFile, readFileUpTo, readIfPresent } from '#adapters/system/files.ts'
import { codeOf } from '#core/errors.ts'

const MAX_BYTES = 64 * 1024

/**
 * Reads a file, or durably creates it with what `make` returns. If several processes create it at once, one
 * wins, and all return its content.
 */
export async function readOrCreate(path: string, make: () => Promise<Buffer | string>): Promise<Buffer> {
  const present = await readIfPresent(path, MAX_BYTES, 'config.invalid')
  if (present !== undefined) return present
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  try {
    await createFile(path, [Buffer.from(await make())])
  } catch (error) {
    if (codeOf(error) !== 'output.exists') throw error
  }
  return await readFileUpTo(path, MAX_BYTES, 'config.invalid')
}
