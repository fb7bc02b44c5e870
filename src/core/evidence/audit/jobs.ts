/** Replays the entries of each job in one worker's log against the table of its life. */
import type { WorkerEntry } from '../../job/life.ts'
import { JobWalk } from '../../job/walk.ts'
import type { Entry } from '../entry.ts'
import type { Findings } from './finding.ts'
import type { EntryPlace } from './histories.ts'

type Step = { readonly entry: WorkerEntry; readonly jobId: string; readonly release: string | null }

export class JobOrder {
  readonly #findings: Findings
  // Of the log that is being read: logs come one after the other.
  #boot = ''
  #next = 0
  #walks = new Map<string, JobWalk>()
  #jobs = new Map<string, string>()

  constructor(findings: Findings) {
    this.#findings = findings
  }

  /** Entries of one log must come in order. Behind a lost entry nothing is judged: it may be the missing move. */
  record(entry: Entry, { boot, index }: EntryPlace): void {
    if (boot !== this.#boot) {
      this.#boot = boot
      this.#next = 0
      this.#walks = new Map()
      this.#jobs = new Map()
    }
    if (index !== this.#next) return
    this.#next += 1
    const step = this.#stepOf(entry)
    if (step === undefined) return
    const walk = this.#walks.get(step.jobId) ?? new JobWalk()
    this.#walks.set(step.jobId, walk)
    if (walk.step(step.entry, step.release)) return
    const find = this.#findings.at({ boot, index }, `job ${step.jobId}`)
    find('job.order', `${step.entry} may not follow the entries before it`)
  }

  #stepOf(entry: Entry): Step | undefined {
    switch (entry.event) {
      case 'key.received':
        this.#jobs.set(entry.releaseId, entry.jobId)
        return { entry: entry.event, jobId: entry.jobId, release: entry.releaseId }
      case 'result.intent':
      case 'result.visible':
      case 'result.superseded':
      case 'result.foreign': {
        const jobId = this.#jobs.get(entry.releaseId)
        return jobId === undefined ? undefined : { entry: entry.event, jobId, release: entry.releaseId }
      }
      case 'job.failed': {
        const { jobId, releaseId: release } = entry
        // `release.contradicted` reports it.
        if (release !== null && !this.#jobs.has(release)) return undefined
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
