/**
 * The jobs of one get: round after round, until each of them has ended. Suspects come last, and each runs
 * alone: if one of them kills the worker, the other jobs have their results.
 */
import { OpenAttempts } from './attempts.ts'
import type { Boot } from './boot.ts'
import { type LeasedJob, requeue } from './lease.ts'
import { untilAvailable, waits } from './outage.ts'
import { Round } from './round.ts'

/**
 * Throws the reason of `signal` if the lease is lost, the reason of `stopping` if a job would have to wait
 * while the worker is to stop, `WorkerRefused`, and codes whose disposition is `stop`. The batch is then not
 * to be committed, and its open attempts are given back.
 */
export async function runBatch(
  jobs: readonly LeasedJob[],
  boot: Boot,
  signal: AbortSignal,
  stopping: AbortSignal,
): Promise<void> {
  const attempts = new OpenAttempts(boot)
  const context = { boot, attempts, signal, stopping }
  try {
    const suspects = await runUntilEnded(jobs, { ...context, alone: false })
    for (const suspect of suspects) await runUntilEnded([suspect], { ...context, alone: true })
  } finally {
    await attempts.giveBack()
  }
}

/** After this time, jobs that may not run yet go back to the stream: the partition has other jobs. */
const LONGEST_HOLD_MS = 15_000

/** Returns the jobs that were not taken up because they must run alone. */
async function runUntilEnded(
  jobs: readonly LeasedJob[],
  context: ConstructorParameters<typeof Round>[0],
): Promise<readonly LeasedJob[]> {
  const { boot, signal, stopping } = context
  const suspects: LeasedJob[] = []
  const pauses = waits()
  const started = boot.clock.monotonic()
  let pending = jobs
  while (pending.length > 0) {
    const due = pending.filter(({ job }) => job.notBefore <= boot.clock.now())
    const later = pending.filter((leased) => !due.includes(leased))
    const round = due.length === 0 ? { waiting: [], suspects: [] } : await new Round(context).run(due)
    suspects.push(...round.suspects)
    pending = [...round.waiting, ...later]
    if (round.waiting.length === 0 && boot.clock.monotonic() - started >= LONGEST_HOLD_MS) {
      for (const leased of later) await untilAvailable(() => requeue(leased, boot, signal), boot, signal)
      pending = []
    }
    if (pending.length > 0) await boot.clock.sleep(pauses.next().value, AbortSignal.any([signal, stopping]))
  }
  return suspects
}
