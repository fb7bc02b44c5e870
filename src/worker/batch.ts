/** The jobs of one get: round after round, until each of them has ended. */
import type { Boot } from './boot.ts'
import type { LeasedJob } from './lease.ts'
import { waits } from './outage.ts'
import { Round } from './round.ts'

/**
 * Throws the reason of `signal` if the lease is lost, the reason of `stopping` if a job would have to wait while the worker
 * is to stop, `WorkerRefused`, and codes whose disposition is `stop`. The batch is then not to be committed.
 */
export async function runBatch(
  jobs: readonly LeasedJob[],
  boot: Boot,
  signal: AbortSignal,
  stopping: AbortSignal,
): Promise<void> {
  const pauses = waits()
  let pending = jobs
  while (pending.length > 0) {
    const due = pending.filter(({ job }) => job.notBefore <= boot.clock.now())
    const waiting = due.length === 0 ? [] : await new Round(boot, signal, stopping).run(due)
    pending = [...waiting, ...pending.filter((leased) => !due.includes(leased))]
    if (pending.length > 0) await boot.clock.sleep(pauses.next().value, AbortSignal.any([signal, stopping]))
  }
}
