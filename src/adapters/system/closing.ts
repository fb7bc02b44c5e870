/**
 * Chunks of a source that `return()` closes, also before the first `next()`. A generator or a stream's
 * iterator that never started runs no `finally`, and would keep its socket or file open.
 */
export function closing(
  chunks: AsyncIterator<Uint8Array>,
  source: { readonly destroy: () => unknown },
): AsyncIterable<Uint8Array> {
  const iterator: AsyncIterator<Uint8Array> = {
    next: () => chunks.next(),
    return: async () => {
      source.destroy()
      await chunks.return?.()
      return { done: true, value: undefined }
    },
  }
  return { [Symbol.asyncIterator]: () => iterator }
}
