/** One piece of work for all who want the same at the same time. */

/** `run` hears of the abort once all who waited for it are gone. Each caller's own abort ends its own wait. */
export function createCoalescer<Value>(): (
  key: string,
  run: (signal: AbortSignal) => Promise<Value>,
  signal?: AbortSignal,
) => Promise<Value> {
  const pending = new Map<string, { waiters: number; gone: AbortController; promise: Promise<Value> }>()

  return (key, run, signal) => {
    signal?.throwIfAborted()
    let work = pending.get(key)
    if (work === undefined || work.gone.signal.aborted) {
      const gone = new AbortController()
      const promise = run(gone.signal).finally(() => {
        if (pending.get(key)?.gone === gone) pending.delete(key)
      })
      work = { waiters: 0, gone, promise }
      pending.set(key, work)
    }
    return join(work, signal)
  }
}

async function join<Value>(
  work: { waiters: number; readonly gone: AbortController; readonly promise: Promise<Value> },
  signal: AbortSignal | undefined,
): Promise<Value> {
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  work.waiters += 1
  try {
    return await Promise.race([work.promise, aborted.promise])
  } finally {
    signal?.removeEventListener('abort', abort)
    work.waiters -= 1
    if (work.waiters === 0) work.gone.abort(new Error('nobody waits any more'))
  }
}
