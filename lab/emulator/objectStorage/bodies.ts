/** Object bodies on disk: streamed, never whole in memory, and durable before any record names them. */
import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { syncFolder } from '#adapters/system/files.ts'
import { type ClaimRoom, roomFor } from '#lab/emulator/disk.ts'
import type { Faults } from '#lab/emulator/faults.ts'
import { OciError } from '#lab/emulator/service.ts'
import type { Segment } from './entries.ts'

const CHUNK_BYTES = 256 * 1024

type Received = {
  readonly segment: Segment
  readonly md5: string
  readonly sha256: string | undefined
}

/** What the client announced about the body: its length, and optional digests in base64. */
export type Announced = {
  readonly length: number | undefined
  readonly md5: string | undefined
  readonly sha256: string | undefined
  /** Compute a SHA-256 even if none was announced. */
  readonly withSha256: boolean
}

export type Bodies = {
  /**
   * Durable when it resolves. Throws and leaves no file: 400 if the body differs from what was announced, 500
   * if there is no room.
   */
  readonly receive: (stream: Readable, announced: Announced) => Promise<Received>
  /**
   * Bytes `start` to `end`, inclusive. Its files are open when it resolves, so their removal does not stop
   * the reader.
   */
  readonly read: (segments: readonly Segment[], start: number, end: number) => Promise<Readable>
  readonly remove: (segments: readonly Segment[]) => Promise<void>
  /** Called at start: a body that no record names was never acknowledged. */
  readonly removeAllBut: (named: ReadonlySet<string>) => Promise<void>
}

export async function openBodies(folder: string, faults: Pick<Faults, 'take'>): Promise<Bodies> {
  await mkdir(folder, { recursive: true })
  const remove = async (segments: readonly Segment[]): Promise<void> => {
    await Promise.all(segments.map(({ file }) => rm(join(folder, file), { force: true })))
  }
  return {
    receive: async (stream, announced) => {
      const file = randomUUID()
      try {
        return await receive(join(folder, file), stream, announced, roomFor(join(folder, file), faults))
      } catch (error) {
        await rm(join(folder, file), { force: true })
        throw error
      }
    },
    read: (segments, start, end) => openSlices(folder, segments, start, end).then(readableOf),
    remove,
    removeAllBut: async (named) => {
      const files = await readdir(folder)
      await remove(files.filter((file) => !named.has(file)).map((file) => ({ file, size: 0 })))
    },
  }
}

async function receive(
  path: string,
  stream: Readable,
  announced: Announced,
  claim: ClaimRoom,
): Promise<Received> {
  const md5 = createHash('md5')
  const sha256 = announced.withSha256 || announced.sha256 !== undefined ? createHash('sha256') : undefined
  let size = 0
  const handle = await open(path, 'wx')
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      const bytes: Buffer = chunk
      md5.update(bytes)
      sha256?.update(bytes)
      size += bytes.byteLength
      claim(bytes.byteLength)
      await handle.writeFile(bytes)
    }
    const digests = { md5: md5.digest('base64'), sha256: sha256?.digest('base64') }
    if (announced.length !== undefined && announced.length !== size)
      throw new OciError(400, 'InvalidParameter', `the body has ${size} bytes, not ${announced.length}`)
    if (announced.md5 !== undefined && announced.md5 !== digests.md5)
      throw new OciError(
        400,
        'UnmatchedContentMD5',
        'The computed MD5 of the request body does not match the Content-MD5 header',
      )
    if (announced.sha256 !== undefined && announced.sha256 !== digests.sha256)
      throw new OciError(
        400,
        'UnmatchedContentSHA256',
        'The computed SHA-256 of the request body does not match opc-content-sha256',
      )
    await handle.sync()
    await syncFolder(dirname(path))
    return { segment: { file: basename(path), size }, ...digests }
  } finally {
    await handle.close()
  }
}

/** Bytes `from` to `to`, inclusive, of an open file. */
type Slice = { readonly handle: FileHandle; from: number; readonly to: number }

async function openSlices(
  folder: string,
  segments: readonly Segment[],
  start: number,
  end: number,
): Promise<readonly Slice[]> {
  const slices: Slice[] = []
  let offset = 0
  try {
    for (const { file, size } of segments) {
      const from = Math.max(start - offset, 0)
      const to = Math.min(end - offset, size - 1)
      if (from <= to) slices.push({ handle: await open(join(folder, file), 'r'), from, to })
      offset += size
    }
    return slices
  } catch (error) {
    await closeAll(slices)
    throw error
  }
}

function readableOf(slices: readonly Slice[]): Readable {
  const nextChunk = async (): Promise<Buffer | null> => {
    const slice = slices.find(({ from, to }) => from <= to)
    if (slice === undefined) return null
    const length = Math.min(CHUNK_BYTES, slice.to - slice.from + 1)
    const { bytesRead, buffer } = await slice.handle.read(Buffer.allocUnsafe(length), 0, length, slice.from)
    if (bytesRead === 0) throw new Error('a body file is shorter than its record says')
    slice.from += bytesRead
    return buffer.subarray(0, bytesRead)
  }
  return new Readable({
    highWaterMark: CHUNK_BYTES,
    read() {
      nextChunk().then(
        (chunk) => this.push(chunk),
        (error: Error) => this.destroy(error),
      )
    },
    destroy(error, done) {
      closeAll(slices).then(
        () => done(error),
        (failure: Error) => done(failure),
      )
    },
  })
}

async function closeAll(slices: readonly Slice[]): Promise<void> {
  await Promise.all(slices.map(({ handle }) => handle.close()))
}
