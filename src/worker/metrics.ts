/**
 * The worker's metrics (docs/operations.md). Names and labels are fixed; none tells of a patient, dataset or
 * object.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

const OUTCOMES = ['visible', 'superseded', 'refused', 'failed', 'returned'] as const
export type JobOutcome = (typeof OUTCOMES)[number]

export type WorkerMetrics = {
  readonly jobEnded: (outcome: JobOutcome, code: string, seconds: number) => void
  readonly opened: (bytes: number) => void
  readonly deadLettered: (code: string) => void
  readonly leaseLost: () => void
  readonly batchJobs: (jobs: number) => void
  readonly released: (seconds: number) => void
  /** The Verifier or OCI refuses this worker as a whole; `place` is empty if it is the Verifier. */
  readonly parked: (code: string, place: string) => void
  /** The worker is let in again. */
  readonly accepted: () => void
  /** A report was requested; `code` is empty on success. */
  readonly reported: (source: string, code: string, lost: boolean) => void
}

export function createWorkerMetrics(registry: Registry, simulation: boolean): WorkerMetrics {
  const registers = [registry]
  const jobs = new Counter({
    name: 'cw_worker_jobs_total',
    help: 'Jobs that ended, by outcome and, if they failed, by code',
    labelNames: ['outcome', 'code'],
    registers,
  })
  for (const outcome of OUTCOMES) jobs.inc({ outcome, code: '' }, 0)
  const jobSeconds = new Histogram({
    name: 'cw_worker_job_seconds',
    help: 'Time from the lease of a job to its end',
    labelNames: ['outcome'],
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800],
    registers,
  })
  const openedBytes = new Counter({
    name: 'cw_worker_opened_bytes_total',
    help: 'Plaintext bytes opened inside this worker',
    registers,
  })
  const deadLetters = new Counter({
    name: 'cw_worker_dead_letters_total',
    help: 'Messages set aside, by code',
    labelNames: ['code'],
    registers,
  })
  const lost = new Counter({
    name: 'cw_worker_leases_lost_total',
    help: 'Batches abandoned because another worker holds the partition now',
    registers,
  })
  const batch = new Gauge({ name: 'cw_worker_batch_jobs', help: 'Jobs of the current batch', registers })
  const release = new Histogram({
    name: 'cw_worker_release_seconds',
    help: 'Time of one exchange with the Verifier: challenge, report, release',
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  })
  const reports = new Counter({
    name: 'cw_worker_reports_total',
    help: 'Attestation reports requested, by source and, if the request failed, by code',
    labelNames: ['source', 'code'],
    registers,
  })
  const attestationLost = new Gauge({
    name: 'cw_worker_attestation_lost',
    help: "1 if the guest's key to its firmware is gone: the guest must be relaunched",
    registers,
  })
  const refused = new Gauge({
    name: 'cw_worker_refused',
    help: '1 while this worker is refused as a whole and waits, by code and place (empty: the Verifier)',
    labelNames: ['code', 'place'],
    registers,
  })
  new Gauge({ name: 'cw_worker_simulation', help: '1 if the platform is simulated', registers }).set(
    simulation ? 1 : 0,
  )
  return {
    jobEnded: (outcome, code, seconds) => {
      jobs.inc({ outcome, code })
      jobSeconds.observe({ outcome }, seconds)
    },
    opened: (bytes) => openedBytes.inc(bytes),
    deadLettered: (code) => deadLetters.inc({ code }),
    leaseLost: () => lost.inc(),
    batchJobs: (count) => batch.set(count),
    released: (seconds) => release.observe(seconds),
    parked: (code, place) => {
      refused.reset()
      refused.set({ code, place }, 1)
    },
    accepted: () => refused.reset(),
    reported: (source, code, lost) => {
      reports.inc({ source, code })
      attestationLost.set(lost ? 1 : 0)
    },
  }
}
