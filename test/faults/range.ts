/** Runs seeds one after the other: many on one deployment, each reported as it ends. */
import { type RunReport, runSeed } from './run.ts'
import { closeSite, startSite } from './site.ts'

export type RangeOptions = {
  readonly seeds: readonly number[]
  /** A new deployment after this many seeds. */
  readonly seedsPerSite: number
  /** An audit after this many seeds of a deployment, and after its last. */
  readonly auditEvery: number
  /** Keeps the folder of every deployment; without it, only of those with a violation. */
  readonly keep: boolean
  readonly onReport: (report: RunReport, folder: string) => Promise<void>
}

/** Returns the number of seeds with a violation. */
export async function runRange(options: RangeOptions): Promise<number> {
  const { seeds, seedsPerSite } = options
  let violated = 0
  let left = seeds
  while (left.length > 0) {
    const done = await runOnSite(left.slice(0, seedsPerSite), options)
    violated += done.violated
    left = left.slice(done.seeds)
  }
  return violated
}

/** Ends with the first violation: what follows it on the same deployment proves nothing. */
async function runOnSite(
  seeds: readonly number[],
  { auditEvery, keep, onReport }: RangeOptions,
): Promise<{ readonly seeds: number; readonly violated: number }> {
  const site = await startSite()
  const { root } = site.system.deployment.folders
  let done = 0
  let violated = 0
  try {
    for (const seed of seeds) {
      done += 1
      const audit = done % auditEvery === 0 || done === seeds.length
      const report = await runSeed(site, seed, { audit }).catch((error) => failedRun(seed, error))
      if (report.violations.length > 0) violated += 1
      await onReport(report, root)
      if (violated > 0) break
    }
  } finally {
    await closeSite(site, { keep: keep || violated > 0 })
  }
  return { seeds: done, violated }
}

/** A program that does not come back, or a mistake of ours: what is left in the folder says which. */
function failedRun(seed: number, error: unknown): RunReport {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const violations = [{ invariant: 'run.failed', subject: 'run', text }]
  return { seed, acts: [], objects: 0, seconds: { acts: 0, rest: 0, verdict: 0 }, violations }
}
