/**
 * The worker's loop: preflight → join the group → get → work and heartbeat → every job ended → evidence
 * flushed → commit → next get. One batch is in hand at a time.
 *
 * Crash argument. Offsets are committed last. If this process dies, the worker that takes the partition over
 * meets the same jobs again. Each result has one name and attempts are counted, so meeting a job again only
 * costs work.
 */
import { errorFields } from '#adapters/system/log.ts'
import { untilAvailable, waits } from '#adapters/system/outage.ts'
import { codeOf, errorRow } from '#core/errors.ts'
import type { StreamConsumer, StreamLease, StreamMessage } from '#ports/jobStream.ts'
import { isForNow, isUndecided } from './about.ts'
import { runBatch } from './batch.ts'
import type { Boot } from './boot.ts'
import { acceptMessage, type LeasedJob } from './lease.ts'
import { createParking } from './parking.ts'

// OCI allows five gets per second for a partition and its whole group. A worker that finds nothing asks less
// often, so a pool larger than the number of partitions leaves room for the workers that have jobs.
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

/**
 * Returns after a drain. A worker that is refused as a whole parks: it lets its partitions go and asks again.
 * It joins the group only after a preflight, so that the wrong worker of a pool takes no job from the right
 * ones. Throws the error that stops the worker; the batch in hand is then not committed.
 */
export async function consume(boot: Boot, options: LoopOptions): Promise<void> {
  const { stopping, joined } = options
  const parking = createParking(boot)
  let accepted = false
  while (!stopping.aborted) {
    try {
      if (!accepted) await preflight(boot, stopping)
      accepted = true
      parking.leave()
      await takeJobs(boot, options, parking.forget)
    } catch (error) {
      if (stopping.aborted) return
      const code = codeOf(error)
      const { disposition } = errorRow(code)
      // A single 403 of OCI decides nothing: permissions spread, and are mended, while the worker is up.
      if (disposition === 'stop' && code !== 'service.denied') throw error
      joined(false)
      if (disposition === 'retry') {
        if (code === 'lease.lost') boot.metrics.leaseLost()
        // The cause may be this worker alone: it asks for itself before it takes jobs again.
        if (isUndecided(error)) accepted = false
        boot.log.warn('rejoining', errorFields(error))
        await boot.clock.sleep(1000, stopping).catch(() => {})
      } else {
        // What is wrong with a single job has ended that job: an error that arrives here is about the worker.
        accepted = false
        await parking.wait(error, stopping)
      }
    }
  }
}

/** Attests and asks for nothing. Waits while the Verifier is away; throws its refusal of this worker. */
async function preflight(boot: Boot, stopping: AbortSignal): Promise<void> {
  const { attester, clock, log, metrics } = boot
  for (const pause of waits()) {
    const challenge = await untilAvailable(() => attester.challenge(stopping), boot, stopping)
    try {
      await attester.ask(challenge, [], stopping)
      return
    } catch (error) {
      stopping.throwIfAborted()
      if (errorRow(codeOf(error)).disposition !== 'retry' && !isForNow(error)) throw error
      if (isUndecided(error)) metrics.parked(codeOf(error), '')
      log.warn('waiting', { ...errorFields(error), waitMs: pause })
      await clock.sleep(pause, stopping)
    }
  }
}

/** Batch after batch, until the worker is to stop. `worked` is called after each. */
async function takeJobs(boot: Boot, options: LoopOptions, worked: () => void): Promise<void> {
  const { consumer, stopping, joined } = options
  const lease = await consumer.join(stopping)
  joined(true)
  let idleMs = FIRST_IDLE_MS
  while (!stopping.aborted) {
    const messages = await lease.get(options.maxJobs, stopping)
    if (messages.length > 0) {
      await holdBatch(messages, lease, boot, options)
      worked()
      idleMs = FIRST_IDLE_MS
    } else {
      await boot.clock.sleep(idleMs, stopping)
      idleMs = Math.min(idleMs * 2, LONGEST_IDLE_MS)
    }
  }
}

/** Keeps the lease alive while the batch is worked on, and commits it when every job has ended. */
async function holdBatch(
  messages: readonly StreamMessage[],
  lease: StreamLease,
  boot: Boot,
  { heartbeatMs, stopping }: LoopOptions,
): Promise<void> {
  const batch = new AbortController()
  const beating = beat(lease, boot, heartbeatMs, batch)
  boot.metrics.batchJobs(messages.length)
  try {
    const jobs = await acceptAll(messages, boot, batch.signal)
    boot.log.info('leased', { jobs: jobs.length, partition: messages[0]?.partition })
    await runBatch(jobs, boot, batch.signal, stopping)
    await untilAvailable(() => boot.evidence.flush(batch.signal), boot, batch.signal)
    batch.signal.throwIfAborted()
    await lease.commit()
  } finally {
    batch.abort(new Error('the batch has ended'))
    boot.metrics.batchJobs(0)
    await beating
  }
}

async function acceptAll(
  messages: readonly StreamMessage[],
  boot: Boot,
  signal: AbortSignal,
): Promise<readonly LeasedJob[]> {
  const jobs: LeasedJob[] = []
  for (const message of messages) {
    const leased = await untilAvailable(() => acceptMessage(message, boot, signal), boot, signal)
    if (leased !== undefined) jobs.push(leased)
  }
  return jobs
}

/** Sends heartbeats. If the service is away, the next one is sent as usual; a lost lease ends the batch. */
async function beat(
  lease: StreamLease,
  { clock }: Pick<Boot, 'clock'>,
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
