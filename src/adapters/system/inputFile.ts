/** A file of any size, read in chunks from its first byte to its last. */
import { type FileHandle, open } from 'node:fs/promises'
import { CodedError } from '#core/errors.ts'

const CHUNK_BYTES = 1024 * 1024

export type InputFile = {
  /** When it was opened. A caller that reads another number of bytes knows that the file changed. */
  readonly size: number
  /** Up to `bytes` from the start. */
  readonly prefix: (bytes: number) => Promise<Buffer>
  /** The whole file. The signal ends the reading with its reason. */
  readonly chunks: (signal?: AbortSignal) => AsyncIterable<Uint8Array>
  readonly close: () => Promise<void>
}

/** Throws `input.unreadable` for anything but a regular file that can be read. */
export async function openInput(path: string): Promise<InputFile> {
  const unreadable = (cause: unknown) =>
    new CodedError('input.unreadable', `${path} cannot be read as a file`, { cause })
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw unreadable(cause)
  })
  const stat = await file.stat()
  if (!stat.isFile()) {
    await file.close()
    throw unreadable(new Error('not a regular file'))
  }
  return {
    size: stat.size,
    prefix: async (bytes) => {
      const prefix = Buffer.alloc(Math.min(bytes, stat.size))
      const { bytesRead } = await file.read(prefix, 0, prefix.byteLength, 0)
      return prefix.subarray(0, bytesRead)
    },
    chunks: (signal) => readAll(file, signal),
    close: () => file.close(),
  }
}

async function* readAll(file: FileHandle, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  for (let position = 0; ; ) {
    signal?.throwIfAborted()
    // One buffer per chunk: the consumer may still hold the last one.
    const { bytesRead, buffer } = await file.read(
      Buffer.allocUnsafeSlow(CHUNK_BYTES),
      0,
      CHUNK_BYTES,
      position,
    )
    if (bytesRead === 0) return
    position += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
