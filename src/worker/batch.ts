/**
 * The jobs of one get: pass after pass, until each job has ended. Suspects come last, and each runs alone:
 * if one of them kills the worker, the other jobs have their results.
 */

import { untilAvailable, waits } from '#adapters/system/outage.ts'
import { LONGEST_RETURN_SECONDS } from '#core/job/attempt.ts'
import type { Job } from '#core/job/job.ts'
import { OpenAttempts } from './attempts.ts'
import type { Boot } from './boot.ts'
import { type LeasedJob, requeue } from './lease.ts'
import { Pass, type PassContext } from './pass.ts'

/** After this time, jobs that may not run yet go back to the stream, since the partition has other jobs. */
const LONGEST_HOLD_MS = 15_000
/** After this time, a job that a service still fails goes back too: the service may be away for it alone. */
const LONGEST_BATCH_MS = 10 * 60_000

/**
 * The batch may be committed when this returns. It throws the reason of `signal` if the lease is lost, and
 * the reason of `stopping` if a job would have to wait while the worker is to stop. It throws the refusal of
 * the request as a whole, and codes whose disposition is `stop`. Then the batch is not committed, and its
 * open attempts are given back.
 */
export async function runBatch(
  jobs: readonly LeasedJob[],
  boot: Boot,
  signal: AbortSignal,
  stopping: AbortSignal,
): Promise<void> {
  const attempts = new OpenAttempts(boot)
  const end = boot.clock.monotonic() + LONGEST_BATCH_MS
  const context = { boot, attempts, isLate: () => boot.clock.monotonic() >= end, signal, stopping }
  try {
    const suspects = await runUntilEnded(jobs, { ...context, alone: false })
    for (const suspect of suspects) await runUntilEnded([suspect], { ...context, alone: true })
  } finally {
    await attempts.giveBack()
  }
}

/** Returns the suspects: jobs that were not taken up, because each must run alone. */
async function runUntilEnded(
  jobs: readonly LeasedJob[],
  context: PassContext,
): Promise<readonly LeasedJob[]> {
  const { boot, signal, stopping } = context
  const deadline = boot.clock.monotonic() + LONGEST_HOLD_MS
  const suspects: LeasedJob[] = []
  const pauses = waits()
  let pending = jobs
  while (pending.length > 0) {
    const due = pending.filter(({ job }) => isDue(job, boot))
    const later = pending.filter(({ job }) => !isDue(job, boot))
    const pass = await new Pass(context).run(due)
    suspects.push(...pass.suspects)
    pending = [...pass.waiting, ...later]
    if (pass.waiting.length === 0 && boot.clock.monotonic() >= deadline) {
      for (const leased of later) await untilAvailable(() => requeue(leased, boot, signal), boot, signal)
      return suspects
    }
    if (pending.length > 0 && !pass.crowded)
      await boot.clock.sleep(pauses.next().value, AbortSignal.any([signal, stopping]))
  }
  return suspects
}

/** A time that no worker writes is not believed: the job runs at once. */
function isDue({ notBefore }: Job, { time }: Boot): boolean {
  const now = time.now()
  return notBefore <= now || notBefore > now + LONGEST_RETURN_SECONDS
}
