/**
 * Batches of segments on their way through a cipher: while the consumer holds one, the next are read and worked on. The
 * window is bounded, results come in order, and nothing of a batch is seen before the cipher has finished it.
 */
import type { Segment } from './cipher.ts'
import type { OutputBuffers } from './outputBuffers.ts'

/** A call of the cipher costs as much as half a segment. */
export const BATCH_SEGMENTS = 8
/** One batch with the consumer, two ahead of it. */
const WINDOW_BATCHES = 3

export type Batch = {
  readonly key: Uint8Array
  readonly segments: readonly Segment[]
  /** All that the batch gives, as one run of bytes. */
  readonly output: Buffer
}

/**
 * `read` gives the batches one after the other, `undefined` behind the last; its calls never overlap, those of `work` do.
 * An error of either comes in the place of its batch. However the stream ends, no call of `work` outlives it.
 */
export async function* runPipeline(options: {
  readonly read: () => Promise<Batch | undefined>
  readonly work: (batch: Batch) => Promise<void>
  readonly buffers: OutputBuffers
}): AsyncGenerator<Buffer, void, undefined> {
  const { read, work, buffers } = options
  const ahead: Promise<Batch | undefined>[] = []
  const working = new Set<Promise<void>>()
  let reading: Promise<unknown> = Promise.resolve()
  let isStopped = false

  const finish = async (batch: Batch | undefined): Promise<Batch | undefined> => {
    if (batch === undefined || isStopped) return undefined
    const job = work(batch)
    working.add(job)
    await job
    working.delete(job)
    return batch
  }
  const start = (): void => {
    const batch = reading.then(read)
    const finished = batch.then(finish)
    // Whoever awaits `finished` sees the error; until then it must not count as unhandled.
    finished.catch(() => undefined)
    reading = batch
    ahead.push(finished)
  }

  try {
    for (let count = 0; count < WINDOW_BATCHES; count++) start()
    for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) {
      const batch = await next
      if (batch === undefined) return
      if (batch.output.byteLength > 0) yield batch.output
      buffers.recycle(batch.output)
      start()
    }
  } finally {
    isStopped = true
    await Promise.allSettled(working)
  }
}
