/**
 * A folder as an object store: `<root>/<bucket>/<name>`, one file per object. It serves copies of buckets,
 * and machines without a cloud. Writes are durable when they return, and never overwrite.
 *
 * It has two limits that a real bucket does not have. An object's name cannot be a folder of another's (`a`
 * and `a/b`). A segment of a name cannot be empty or begin with a dot.
 */
import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CodedError, type ErrorCode } from '#core/errors.ts'
import type { ListedObject, ObjectHead, ObjectRef, ObjectStore } from '#ports/objectStore.ts'
import { closing } from './closing.ts'
import { createFile } from './files.ts'

const SEGMENT = /^[^./\0][^/\0]{0,254}$/
/** The folder in which an object is written before it gets its name. No bucket can have this name. */
const DRAFTS = '.partial'

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'service.missing',
  ENOTDIR: 'service.missing',
  EEXIST: 'service.conflict',
  EACCES: 'service.denied',
  EROFS: 'service.denied',
  ENOSPC: 'service.unavailable',
}

export function createFolderStore(options: {
  readonly root: string
  /** The only namespace that exists here. */
  readonly namespace: string
}): ObjectStore {
  const { root, namespace } = options

  const pathOf = (object: ObjectRef): string => {
    if (object.namespace !== namespace)
      throw new CodedError('service.missing', `there is no namespace ${object.namespace}`)
    const segments = object.name.split('/')
    if (![object.bucket, ...segments].every((segment) => SEGMENT.test(segment)))
      throw new CodedError('service.failed', `${object.name} cannot be the name of a file`)
    return join(root, object.bucket, ...segments)
  }

  const openAt = async (object: ObjectRef, etag: string | undefined) => {
    const file = await open(pathOf(object), 'r')
    try {
      const head = await headOf(file)
      if (etag !== undefined && etag !== head.etag)
        throw new CodedError('object.changed', `${object.name} has another version now`)
      return { file, head }
    } catch (error) {
      await file.close()
      throw error
    }
  }

  const write = async (
    object: ObjectRef,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    size: number,
  ) => {
    const path = pathOf(object)
    const draft = join(root, DRAFTS, randomBytes(16).toString('hex'))
    await mkdir(dirname(draft), { recursive: true })
    await mkdir(dirname(path), { recursive: true })
    await createFile(path, ofSize(chunks, size), { mode: 0o666, draft })
    const { file, head } = await openAt(object, undefined)
    await file.close()
    return { etag: head.etag }
  }

  return {
    head: (object, etag, signal) =>
      coded(object.name, signal, async () => {
        const { file, head } = await openAt(object, etag)
        await file.close()
        return head
      }),
    read: (object, { start, end }, etag, signal) =>
      coded(object.name, signal, async () => {
        const { file, head } = await openAt(object, etag)
        return await readSpan(file, start, Math.min(end + 1, head.size))
      }),
    readAll: (object, maxBytes, signal) =>
      coded(object.name, signal, async () => {
        const { file, head } = await openAt(object, undefined)
        if (head.size <= maxBytes) return await readSpan(file, 0, head.size)
        await file.close()
        throw new CodedError('service.failed', `${object.name} has more than ${maxBytes} bytes`)
      }),
    stream: (object, { etag, start = 0, signal }) =>
      coded(object.name, signal, async () => {
        const { file, head } = await openAt(object, etag)
        const stream = file.createReadStream({ start, ...(signal && { signal }) })
        return { ...head, chunks: closing(stream[Symbol.asyncIterator](), stream) }
      }),
    create: (object, bytes, signal) =>
      coded(object.name, signal, () => write(object, [bytes], bytes.byteLength)),
    createFrom: (object, chunks, size, signal) =>
      coded(object.name, signal, () => write(object, chunks, size)),
    async *list(bucket, prefix, after, signal) {
      const folder = dirname(pathOf({ ...bucket, name: 'any' }))
      for await (const name of walk(folder, '', prefix)) {
        if (after !== undefined && Buffer.compare(Buffer.from(name), Buffer.from(after)) <= 0) continue
        yield await coded(name, signal, async (): Promise<ListedObject> => {
          const file = await open(join(folder, name), 'r')
          try {
            const { size, etag } = await headOf(file)
            return { name, size, etag }
          } finally {
            await file.close()
          }
        })
      }
    },
  }
}

/**
 * Yields the names of all files below `folder` that begin with `prefix`, in the order of the whole name's
 * bytes.
 */
async function* walk(folder: string, below: string, prefix: string): AsyncIterable<string> {
  const entries = await coded(below, undefined, () => readdir(join(folder, below), { withFileTypes: true }))
  const names = entries
    // Links and devices are not objects: a collection contains only what lies in it.
    .filter((entry) => (entry.isFile() || entry.isDirectory()) && !entry.name.startsWith('.'))
    .map((entry) => `${below}${entry.name}${entry.isDirectory() ? '/' : ''}`)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  for (const name of names) {
    if (!name.endsWith('/')) {
      if (name.startsWith(prefix)) yield name
    } else if (name.startsWith(prefix) || prefix.startsWith(name)) yield* walk(folder, name, prefix)
  }
}

/**
 * The version is inode, size and time of writing. Objects are never rewritten, so nothing needs to be hashed.
 */
async function headOf(file: FileHandle): Promise<ObjectHead> {
  const stat = await file.stat({ bigint: true })
  if (!stat.isFile()) throw new CodedError('service.missing', 'the name is a folder, not an object')
  const etag = [stat.ino, stat.size, stat.mtimeNs].map((part) => part.toString(16)).join('-')
  return { etag, size: Number(stat.size), contentType: undefined }
}

/** Reads bytes `start` to `end`, without `end`, and closes the file. */
async function readSpan(file: FileHandle, start: number, end: number): Promise<Buffer> {
  try {
    const bytes = Buffer.alloc(Math.max(0, end - start))
    let filled = 0
    while (filled < bytes.byteLength) {
      const { bytesRead } = await file.read(bytes, filled, bytes.byteLength - filled, start + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return bytes.subarray(0, filled)
  } finally {
    await file.close()
  }
}

async function* ofSize(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  size: number,
): AsyncIterable<Uint8Array> {
  let given = 0
  for await (const chunk of chunks) {
    given += chunk.byteLength
    yield chunk
  }
  if (given !== size)
    throw new CodedError('internal.fault', `a stream has ${given} bytes, ${size} were announced`)
}

/** Runs one call and translates the file system's errors to the port's codes. */
async function coded<T>(name: string, signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted()
  try {
    return await call()
  } catch (error) {
    const cause = error instanceof CodedError && error.code.startsWith('output.') ? error.cause : error
    if (cause instanceof CodedError || !(cause instanceof Error) || !('code' in cause)) throw cause
    const code = CODES[String(cause.code)] ?? 'service.failed'
    throw new CodedError(code, `${name}: ${String(cause.code)}`, { cause })
  }
}
