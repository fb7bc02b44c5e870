/** Small files of state that survive a crash. */
import { readFile } from 'node:fs/promises'
import { replaceFile } from '#adapters/system/files.ts'

/** Reads a file, or creates it with the text that `make` returns. */
export async function readOrCreate(file: string, make: () => Promise<string>): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  const text = await make()
  await replaceFile(file, text)
  return text
}
