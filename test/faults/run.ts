/** One run: the objects and acts of a seed, the return to rest, and the verdict on what is left. */
import { setTimeout as sleep } from 'node:timers/promises'
import { auditSite } from './auditRun.ts'
import { prepareObject, type Upload } from './objects.ts'
import { judge } from './oracle/judge.ts'
import type { UploadedObject, Violation } from './oracle/world.ts'
import { workLeft } from './progress.ts'
import { type PlannedAct, type PlannedObject, type Schedule, scheduleOf } from './schedule.ts'
import { insist, type Site } from './site.ts'
import { worldMeanwhile, worldOf } from './siteWorld.ts'

/** The pool is whole within this time after the end of the last cause. */
const WHOLE_MS = 60_000
const POLL_MS = 200

export type RunReport = {
  readonly seed: number
  readonly acts: readonly Readonly<Record<string, string | number>>[]
  readonly objects: number
  /** Until the last cause was over, from there until all jobs had ended, and the audit and the judge. */
  readonly seconds: { readonly acts: number; readonly rest: number; readonly verdict: number }
  readonly violations: readonly Violation[]
}

export async function runSeed(
  site: Site,
  seed: number,
  options: { readonly audit: boolean },
): Promise<RunReport> {
  const schedule = scheduleOf(seed)
  const prepared = await Promise.all(schedule.objects.map((planned) => prepareObject(site.system, planned)))
  const seconds = stopwatch()
  const uploads = await perform(site, schedule, prepared)
  // The end of every cause.
  await insist(() => site.system.deployment.control.clearFaults())
  const acts = seconds()
  const late = await rest(site, uploads)
  const resting = seconds()
  const violations = [
    ...late,
    ...site.pool.takeViolations(),
    ...(options.audit && late.length === 0 ? await auditSite(site) : []),
    ...(await judge(late.length === 0 ? await worldOf(site, uploads) : worldMeanwhile(site, uploads))),
  ]
  return {
    seed,
    acts: schedule.acts.map(({ name, at, about }) => ({ name, at, ...about })),
    objects: uploads.length,
    seconds: { acts, rest: resting, verdict: seconds() },
    violations,
  }
}

async function perform(
  site: Site,
  { objects, acts }: Schedule,
  uploads: readonly Upload[],
): Promise<readonly UploadedObject[]> {
  const start = performance.now()
  const at = (milliseconds: number) => sleep(Math.max(0, start + milliseconds - performance.now()))
  const act = async (planned: PlannedAct): Promise<void> => {
    await at(planned.at)
    await planned.perform(site)
  }
  const upload = async (planned: PlannedObject, index: number): Promise<readonly UploadedObject[]> => {
    await at(planned.at)
    const work = uploads[index]
    if (work === undefined) return []
    const uploaded = await insist(work)
    if (planned.kills) site.killers.add(uploaded.jobId)
    return [uploaded]
  }
  const [uploaded] = await Promise.all([Promise.all(objects.map(upload)), Promise.all(acts.map(act))])
  return uploaded.flat()
}

/** Waits until every job has ended and every program serves. */
async function rest(site: Site, uploads: readonly UploadedObject[]): Promise<readonly Violation[]> {
  const deadline = performance.now() + WHOLE_MS
  const jobIds = uploads.map(({ jobId }) => jobId)
  for (;;) {
    const work = await workLeft(site, jobIds).catch((error: unknown) => String(error))
    const absent = site.pool.absent()
    if (work === undefined && absent.length === 0) return []
    if (performance.now() > deadline) {
      const left = work ?? `${absent.join(', ')} not ready`
      return [{ invariant: 'pool.whole', subject: 'pool', text: `after ${WHOLE_MS / 1000} s: ${left}` }]
    }
    await sleep(POLL_MS)
  }
}

/** Seconds since the last call, with two digits. */
function stopwatch(): () => number {
  let last = performance.now()
  return () => {
    const now = performance.now()
    const seconds = Math.round((now - last) / 10) / 100
    last = now
    return seconds
  }
}
