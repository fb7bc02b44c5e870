/** A file that is there as a whole or not at all, and never in the place of another. */
import { randomBytes } from 'node:crypto'
import { access, type FileHandle, link, open, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { toHex } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'

/** Throws `output.exists`: to be asked before the work is done, and settled by `writeOutput` after it. */
export async function assertNoOutput(path: string): Promise<void> {
  const found = await access(path).then(
    () => true,
    () => false,
  )
  if (found) throw existing(path)
}

/**
 * Writes the chunks to a new file that only its owner may read, and returns its size. Until all of it is on disk it has
 * another name beside `path`; where anything fails, that one is removed. Throws `output.exists`, `output.unwritable`,
 * and whatever `chunks` throws.
 */
export async function writeOutput(path: string, chunks: AsyncIterable<Uint8Array>): Promise<number> {
  const partial = join(dirname(path), `.${basename(path)}.${toHex(randomBytes(6))}.partial`)
  const file = await onDisk(path, () => open(partial, 'wx', 0o600))
  try {
    const size = await writeAll(path, file, chunks)
    // link, unlike rename, refuses a name that is taken.
    await onDisk(path, () => link(partial, path))
    return size
  } finally {
    await file.close().catch(() => undefined)
    await unlink(partial).catch(() => undefined)
  }
}

async function writeAll(path: string, file: FileHandle, chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0
  for await (const chunk of chunks) {
    await onDisk(path, () => file.writeFile(chunk))
    size += chunk.byteLength
  }
  await onDisk(path, () => file.sync())
  return size
}

async function onDisk<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    if (reason === 'EEXIST') throw existing(path)
    throw new CodedError('output.unwritable', `${path} cannot be written: ${reason}`, { cause })
  }
}

function existing(path: string): CodedError {
  return new CodedError('output.exists', `${path} exists already`)
}
