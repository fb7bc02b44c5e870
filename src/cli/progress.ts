/** How far a long step has come: bytes done, and bytes in all. Called often; whoever shows it decides how seldom. */
export type Progress = (done: number, total: number) => void

/** Passes the chunks on and counts them. */
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
