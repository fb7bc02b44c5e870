/**
 * Waits for a promise, or for a signal if that comes first. An abort rejects with the signal's reason and
 * ends only the wait: the work behind the promise goes on, and its failure then has no one to hear it and is
 * dropped.
 */
export async function abandonable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  // A signal that was aborted before tells no listener.
  if (signal.aborted) abort()
  try {
    // First in the list wins: an abort that came before the wait wins over a promise that is already settled.
    return await Promise.race([aborted, promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
