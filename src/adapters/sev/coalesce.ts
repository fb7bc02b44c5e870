/** One run of a piece of work for all callers that ask for it at the same time. */
import { abandonable } from '#adapters/system/abandonable.ts'

type Work<Value> = { waiters: number; readonly abandoned: AbortController; readonly promise: Promise<Value> }

/** A caller's abort ends only its own wait. The signal of `run` is aborted when the last caller has left. */
export function createCoalescer<Value>(): (
  key: string,
  run: (signal: AbortSignal) => Promise<Value>,
  signal?: AbortSignal,
) => Promise<Value> {
  const pending = new Map<string, Work<Value>>()

  return (key, run, signal) => {
    signal?.throwIfAborted()
    let work = pending.get(key)
    if (work === undefined || work.abandoned.signal.aborted) {
      const abandoned = new AbortController()
      const promise = run(abandoned.signal).finally(() => {
        if (pending.get(key)?.abandoned === abandoned) pending.delete(key)
      })
      work = { waiters: 0, abandoned, promise }
      pending.set(key, work)
    }
    return join(work, signal)
  }
}

async function join<Value>(work: Work<Value>, signal: AbortSignal | undefined): Promise<Value> {
  work.waiters += 1
  try {
    return await abandonable(work.promise, signal)
  } finally {
    work.waiters -= 1
    if (work.waiters === 0) work.abandoned.abort(new Error('no caller waits any more'))
  }
}
