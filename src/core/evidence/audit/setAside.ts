/** The jobs that workers set aside, each by its newest entry, and whether its object has a result by now. */
import type { Context } from './context.ts'
import type { Logged } from './histories.ts'
import type { SetAsideJob } from './report.ts'

export function reportSetAside(context: Context): SetAsideJob[] {
  const resultOf = resultsIn(context)
  const newest = new Map<string, Logged<'job.dead-lettered'>>()
  for (const letter of context.histories.letters) {
    const { jobId, time } = letter.entry
    if (time >= (newest.get(jobId)?.entry.time ?? 0)) newest.set(jobId, letter)
  }
  return [...newest.values()]
    .map((letter) => {
      const { boot: log, index, entry } = letter
      const { jobId, time, code, attempts } = entry
      return { jobId, log, index, time, code, attempts, overtakenBy: resultOf(letter) }
    })
    .sort((a, b) => a.time - b.time)
}

/**
 * A result of the job, or of its objects: a worker that died may not have logged the receipt, which names the
 * job.
 */
function resultsIn({ histories: { releases }, manifests }: Context) {
  const ofJob = new Map<string, string>()
  const ofObject = new Map<string, string>()
  for (const { manifest } of manifests.values())
    for (const digest of manifest.headerDigests) ofObject.set(digest, manifest.resultId)
  for (const [releaseId, { receipts }] of releases)
    for (const { received, intents, ends } of receipts) {
      const named = [...intents, ...ends.filter(({ entry }) => entry.event === 'result.superseded')]
      for (const { entry } of named) {
        const present = 'resultId' in entry ? manifests.get(entry.resultId)?.manifest : undefined
        if (present === undefined) continue
        // An intent alone is no result: the manifest may be of another release.
        if (entry.event === 'result.superseded' || present.releaseId === releaseId)
          ofJob.set(received.entry.jobId, present.resultId)
      }
    }
  return ({ entry: { jobId, headerDigests } }: Logged<'job.dead-lettered'>): string | null => {
    const [first] = headerDigests
    const all = headerDigests.every((digest) => ofObject.has(digest))
    return ofJob.get(jobId) ?? (first !== undefined && all ? (ofObject.get(first) ?? null) : null)
  }
}
