/**
 * The pipeline of batches through a cipher: while the consumer holds one batch, the next ones are read and
 * processed. The window is bounded, results come in order, and no byte of a batch is yielded before the
 * cipher has finished it.
 */
import type { Segment } from './cipher.ts'
import type { OutputBuffers } from './outputBuffers.ts'

/** One call of the cipher costs as much as half a segment. */
export const BATCH_SEGMENTS = 8
/** One batch at the consumer, two ahead of it. */
const WINDOW_BATCHES = 3

export type Batch = {
  readonly key: Uint8Array
  readonly segments: readonly Segment[]
  /** The whole output of the batch, as one run of bytes. */
  readonly output: Buffer
}

/**
 * `read` returns one batch per call, and `undefined` after the last. Its calls never overlap; those of `work`
 * do. An error of either is thrown in the place of its batch. No call of `work` outlives the stream, however
 * it ends.
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
    // The loop below awaits `finished` and sees its error; until then the rejection must not count as
    // unhandled.
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
