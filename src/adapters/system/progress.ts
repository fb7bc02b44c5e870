/**
 * Reports a long step: how much is done, of how much. Called often; the receiver decides how often to show
 * it.
 */
export type Progress = (done: number, total: number) => void

/** Passes chunks on and reports their bytes. */
export async function* counted<Chunk extends Uint8Array>(
  chunks: AsyncIterable<Chunk>,
  total: number,
  progress: Progress | undefined,
): AsyncGenerator<Chunk, void, undefined> {
  let done = 0
  for await (const chunk of chunks) {
    yield chunk
    done += chunk.byteLength
    progress?.(done, total)
  }
}
