/**
 * Reads one folder of a copy as a bucket. It waits for no disk: a copy is local and its files are small, and a
 * call that waits takes several times the processor time of the reading itself.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { CodedError } from '#core/errors.ts'
import type { ObjectReader } from '#core/objectReader.ts'

/** The name is none of a file here. */
const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'ENXIO'])
/** A link is no object, and a pipe would wait for its writer. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

export function createFolderReader(folder: string): ObjectReader {
  return {
    async *list(prefix) {
      yield* walk(folder, '', prefix)
    },
    read: async (name, maxBytes) => readFile(folder, name, maxBytes),
  }
}

/** The names of all files, in the order of the whole name's bytes. */
function* walk(folder: string, below: string, prefix: string): Generator<string> {
  const names = childrenOf(join(folder, below))
    .map((name) => `${below}${name}`)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  for (const name of names) {
    if (!name.endsWith('/')) {
      if (name.startsWith(prefix)) yield name
    } else if (name.startsWith(prefix) || prefix.startsWith(name)) yield* walk(folder, name, prefix)
  }
}

/** Files, and folders with a slash. */
function childrenOf(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => (entry.isFile() || entry.isDirectory()) && !entry.name.startsWith('.'))
      .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
  } catch (error) {
    if (ABSENT.has(codeOf(error))) return []
    throw faultOf(folder, error)
  }
}

function readFile(folder: string, name: string, maxBytes: number): Buffer | undefined {
  if (name.split('/').some((segment) => segment === '' || segment.startsWith('.') || segment.includes('\0')))
    return undefined
  let file: number | undefined
  try {
    file = openSync(join(folder, name), FLAGS)
    const stat = fstatSync(file)
    if (!stat.isFile()) return undefined
    if (stat.size > maxBytes)
      throw new CodedError(
        'evidence.malformed',
        `the object has ${stat.size} bytes, the limit is ${maxBytes}`,
      )
    // A buffer of its own: what is kept of a small object does not keep a pool.
    const bytes = Buffer.allocUnsafeSlow(stat.size)
    let filled = 0
    for (let read = -1; filled < bytes.byteLength && read !== 0; filled += read)
      read = readSync(file, bytes, filled, bytes.byteLength - filled, filled)
    return bytes.subarray(0, filled)
  } catch (error) {
    if (error instanceof CodedError) throw error
    if (ABSENT.has(codeOf(error))) return undefined
    throw faultOf(name, error)
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

function faultOf(name: string, cause: unknown): CodedError {
  return new CodedError('service.failed', `${name}: ${codeOf(cause)}`, { cause })
}
