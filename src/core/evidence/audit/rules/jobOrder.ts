/** Replays the entries of each job in one worker's log against the table of its life. */
import type { WorkerEntry } from '../../../job/life.ts'
import { JobWalk } from '../../../job/walk.ts'
import type { Entry } from '../../entry.ts'
import { BoundedMap } from '../bounded.ts'
import type { Context, Rule } from '../context.ts'

type Step = { readonly entry: WorkerEntry; readonly jobId: string; readonly release: string | null }

/** Jobs under way in all workers at one time. Of more, the oldest is followed no further. */
const MAX_JOBS = 16_384

export function jobOrder({ findings }: Pick<Context, 'findings'>): Rule {
  // The next index of each log; then by `<boot>/<jobId>`, and the job by `<boot>/<releaseId>`.
  const next = new Map<string, number>()
  const walks = new BoundedMap<string, JobWalk>(MAX_JOBS)
  const jobs = new BoundedMap<string, string>(MAX_JOBS)

  return {
    /** Behind a lost entry of a log nothing is judged: it may be the missing move. */
    entry: ({ role, boot, index, entry }) => {
      if (role !== 'worker' || index !== (next.get(boot) ?? 0)) return
      next.set(boot, index + 1)
      const step = stepOf(boot, entry)
      if (step === undefined) return
      const job = `${boot}/${step.jobId}`
      const walk = walks.get(job) ?? new JobWalk()
      walks.set(job, walk)
      if (walk.step(step.entry, step.release)) return
      const find = findings.at({ boot, index }, `job ${step.jobId}`)
      find('job.order', `${step.entry} may not follow the entries before it`)
    },
  }

  function stepOf(boot: string, entry: Entry): Step | undefined {
    switch (entry.event) {
      case 'key.received':
        jobs.set(`${boot}/${entry.releaseId}`, entry.jobId)
        return { entry: entry.event, jobId: entry.jobId, release: entry.releaseId }
      case 'result.intent':
      case 'result.visible':
      case 'result.superseded':
      case 'result.foreign': {
        const jobId = jobs.get(`${boot}/${entry.releaseId}`)
        return jobId === undefined ? undefined : { entry: entry.event, jobId, release: entry.releaseId }
      }
      case 'job.failed': {
        const { jobId, releaseId: release } = entry
        // `release.contradicted` reports it.
        if (release !== null && jobs.get(`${boot}/${release}`) === undefined) return undefined
        return { entry: release === null ? 'job.failed, no key' : entry.event, jobId, release }
      }
      case 'release.denied':
      case 'job.returned':
      case 'job.dead-lettered':
        return { entry: entry.event, jobId: entry.jobId, release: null }
      default:
        return undefined
    }
  }
}
