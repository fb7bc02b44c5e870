/** A file that a command reads once, from its first byte to its last, as long as it was when it was opened. */
import { type FileHandle, open } from 'node:fs/promises'
import { CodedError } from '#core/errors.ts'

const CHUNK_BYTES = 1024 * 1024

export type InputFile = {
  readonly size: number
  /** Up to `bytes` from the start. */
  readonly prefix: (bytes: number) => Promise<Buffer>
  /** All of it; the signal ends it with the signal's reason. */
  readonly chunks: (signal?: AbortSignal) => AsyncIterable<Uint8Array>
  readonly close: () => Promise<void>
}

/** Throws `input.unreadable` for what is not a readable file. */
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
    // A buffer of its own for each chunk: whoever reads may still hold the one before.
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
