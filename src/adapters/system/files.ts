/** Files read within a limit, and files that a crash leaves whole or absent, with at most a hidden draft. */
import { randomBytes } from 'node:crypto'
import { access, link, mkdir, open, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { toHex } from '#core/bytes.ts'
import { CodedError, type ErrorCode } from '#core/errors.ts'

/** Throws `output.exists`: to be asked before long work, and decided by `createFile` after it. */
export async function assertAbsent(path: string): Promise<void> {
  const found = await access(path).then(
    () => true,
    () => false,
  )
  if (found) throw existing(path)
}

/**
 * Throws `code` if the file is absent, cannot be read or has more than `maxBytes`. `name` is what the message
 * calls it.
 */
export async function readFileUpTo(
  path: string,
  maxBytes: number,
  code: ErrorCode,
  name = path,
): Promise<Buffer> {
  let bytes: Buffer
  try {
    const file = await open(path, 'r')
    // `end` is inclusive: one byte more than allowed tells whether there are more, however large the file is.
    bytes = Buffer.concat(await Array.fromAsync<Buffer>(file.createReadStream({ end: maxBytes })))
  } catch (cause) {
    throw new CodedError(code, `${name} cannot be read: ${errnoOf(cause)}`, { cause })
  }
  if (bytes.byteLength > maxBytes) throw new CodedError(code, `${name} has more than ${maxBytes} bytes`)
  return bytes
}

/** Undefined if there is no such file. Throws `code` if it cannot be read or has more than `maxBytes`. */
export async function readIfPresent(
  path: string,
  maxBytes: number,
  code: ErrorCode,
): Promise<Buffer | undefined> {
  try {
    return await readFileUpTo(path, maxBytes, code)
  } catch (error) {
    const cause = error instanceof CodedError ? error.cause : undefined
    if (cause !== undefined && ['ENOENT', 'ENOTDIR'].includes(errnoOf(cause))) return undefined
    throw error
  }
}

/**
 * Creates a file whole or not at all, never in the place of another, and returns its size. It is durable when
 * this returns. Until all of it is on disk it has the name `draft`, on the same file system; on failure the
 * draft is removed.
 *
 * Throws `output.exists` if the name is taken, `output.unwritable` if the system refuses, both with the
 * system's error as their cause, and whatever `chunks` throws.
 */
export async function createFile(
  path: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { mode = 0o600, draft = draftOf(path) }: { readonly mode?: number; readonly draft?: string } = {},
): Promise<number> {
  let size = 0
  const file = await onDisk(path, () => open(draft, 'wx', mode))
  try {
    try {
      for await (const chunk of chunks) {
        await onDisk(path, () => file.writeFile(chunk))
        size += chunk.byteLength
      }
      await onDisk(path, () => file.sync())
    } finally {
      await file.close()
    }
    // link, unlike rename, refuses a name that is taken.
    await onDisk(path, () => inSyncedFolder(dirname(path), () => link(draft, path)))
    return size
  } finally {
    await unlink(draft).catch(() => undefined)
  }
}

/**
 * Replaces a file, or creates it with its folder. Readers see the old content or the new one, and so does the
 * next start after a crash. Throws `output.unwritable`.
 */
export async function replaceFile(path: string, content: Uint8Array | string): Promise<void> {
  const draft = draftOf(path)
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await inSyncedFolder(dirname(path), () => rename(draft, path))
  } catch (cause) {
    await unlink(draft).catch(() => undefined)
    throw unwritable(path, cause)
  }
}

/** A new name in a folder is durable only after this. */
export async function syncFolder(folder: string): Promise<void> {
  await inSyncedFolder(folder, async () => {})
}

/** Opens the folder first: a name that could not be made durable is not given. */
async function inSyncedFolder(folder: string, giveName: () => Promise<void>): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await giveName()
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Hidden, in the same folder, and of no length that a longer name would exceed. */
function draftOf(path: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 64)}.${toHex(randomBytes(8))}.draft`)
}

async function onDisk<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    throw errnoOf(cause) === 'EEXIST' ? existing(path, cause) : unwritable(path, cause)
  }
}

function existing(path: string, cause?: unknown): CodedError {
  return new CodedError('output.exists', `${path} exists already`, { cause })
}

function unwritable(path: string, cause: unknown): CodedError {
  return new CodedError('output.unwritable', `${path} cannot be written: ${errnoOf(cause)}`, { cause })
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}
