/**
 * get → work → heartbeat → every job ended → evidence flushed → commit → next get. One batch is in hand at a time.
 *
 * Crash argument. Offsets are committed last, so whatever was in hand when this process dies is met again by whoever takes
 * the partition over; results have one name each and attempts are counted, so meeting it again costs work and nothing else.
 */
import { errorFields } from '#adapters/system/log.ts'
import { codeOf, errorRow } from '#core/errors.ts'
import type { StreamConsumer, StreamLease, StreamMessage } from '#ports/jobStream.ts'
import { type Crew, runJobs, untilAvailable } from './batch.ts'
import { acceptMessage, type LeasedJob } from './lease.ts'

// OCI allows five gets a second for a partition and its whole group: who finds nothing asks less often, so that a pool larger
// than the number of partitions leaves room for those that have work.
const FIRST_IDLE_MS = 100
const LONGEST_IDLE_MS = 1000

export type LoopOptions = {
  readonly consumer: StreamConsumer
  readonly maxJobs: number
  readonly heartbeatMs: number
  /** First SIGTERM: no further get; the batch in hand is finished. */
  readonly stopping: AbortSignal
  readonly joined: (joined: boolean) => void
}

/** Returns after a drain. Throws what stops the worker; the batch in hand is then not committed. */
export async function consume(crew: Crew, options: LoopOptions): Promise<void> {
  const { consumer, stopping, joined } = options
  while (!stopping.aborted) {
    try {
      const lease = await consumer.join(stopping)
      joined(true)
      let idleMs = FIRST_IDLE_MS
      while (!stopping.aborted) {
        const messages = await lease.get(options.maxJobs, stopping)
        if (messages.length > 0) {
          await holdBatch(messages, lease, crew, options)
          idleMs = FIRST_IDLE_MS
        } else {
          await crew.clock.sleep(idleMs, stopping)
          idleMs = Math.min(idleMs * 2, LONGEST_IDLE_MS)
        }
      }
    } catch (error) {
      if (stopping.aborted) return
      if (errorRow(codeOf(error)).disposition !== 'retry') throw error
      joined(false)
      if (codeOf(error) === 'lease.lost') crew.desk.metrics.leaseLost()
      crew.log.warn('rejoining', errorFields(error))
      await crew.clock.sleep(1000, stopping).catch(() => {})
    }
  }
}

/** Keeps the lease alive while the batch is worked on, and commits it when every job has ended. */
async function holdBatch(
  messages: readonly StreamMessage[],
  lease: StreamLease,
  crew: Crew,
  { heartbeatMs, stopping }: LoopOptions,
): Promise<void> {
  const batch = new AbortController()
  const beating = beat(lease, crew, heartbeatMs, batch)
  crew.desk.metrics.batchJobs(messages.length)
  try {
    const jobs = await acceptAll(messages, crew, batch.signal)
    crew.log.info('leased', { jobs: jobs.length, partition: messages[0]?.partition })
    await runJobs(jobs, crew, batch.signal, stopping)
    await untilAvailable(() => crew.desk.evidence.flush(batch.signal), crew, batch.signal)
    batch.signal.throwIfAborted()
    await lease.commit()
  } finally {
    batch.abort(new Error('the batch has ended'))
    crew.desk.metrics.batchJobs(0)
    await beating
  }
}

async function acceptAll(
  messages: readonly StreamMessage[],
  crew: Crew,
  signal: AbortSignal,
): Promise<readonly LeasedJob[]> {
  const jobs: LeasedJob[] = []
  for (const message of messages) {
    const leased = await untilAvailable(() => acceptMessage(message, crew.desk, signal), crew, signal)
    if (leased !== undefined) jobs.push(leased)
  }
  return jobs
}

/** A heartbeat that fails for want of the service is tried again; a lost lease ends the batch. */
async function beat(
  lease: StreamLease,
  { clock }: Crew,
  everyMs: number,
  batch: AbortController,
): Promise<void> {
  while (!batch.signal.aborted) {
    try {
      await clock.sleep(everyMs, batch.signal)
      await lease.heartbeat(batch.signal)
    } catch (error) {
      if (batch.signal.aborted) return
      if (codeOf(error) === 'lease.lost' || errorRow(codeOf(error)).disposition !== 'retry')
        batch.abort(error)
    }
  }
}
