/** Runs named scenarios one after the other, and tells of each whether it holds. */
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { startSite } from '../site.ts'
import { MEMORY_SCENARIOS } from './memory.ts'
import { PROCESS_SCENARIOS } from './processes.ts'
import type { Scenario } from './scenario.ts'
import { SERVICE_SCENARIOS } from './services.ts'
import { runScenario, type ScenarioReport } from './stage.ts'
import { TIME_SCENARIOS } from './times.ts'

export const SCENARIOS: readonly Scenario[] = [
  ...PROCESS_SCENARIOS,
  ...SERVICE_SCENARIOS,
  ...TIME_SCENARIOS,
  ...MEMORY_SCENARIOS,
]

export type ScenarioOptions = {
  readonly scenarios: readonly Scenario[]
  readonly minutes: number
  readonly keep: boolean
  readonly onReport: (report: ScenarioReport, folder: string) => Promise<void>
}

/** Each on a deployment of its own. Returns the number of scenarios with a violation. */
export async function runScenarios(options: ScenarioOptions): Promise<number> {
  const { scenarios, minutes, keep, onReport } = options
  let violated = 0
  for (const scenario of scenarios) {
    const lacks = await scenario.needs?.()
    if (lacks !== undefined) {
      console.log(`SKIP ${scenario.name} · ${lacks}`)
      continue
    }
    Object.assign(process.env, scenario.environment)
    const site = await startSite(scenario.site)
    const { root } = site.system.deployment.folders
    let holds = false
    try {
      const report = await runScenario(site, scenario, { minutes })
      holds = report.violations.length === 0
      if (!holds) violated += 1
      await onReport(report, root)
    } finally {
      site.pool.close()
      await site.system.deployment.close()
      for (const name of Object.keys(scenario.environment ?? {})) delete process.env[name]
      if (!keep && holds) await rm(dirname(root), { recursive: true, force: true })
    }
  }
  return violated
}

/** `PASS freeze-worker · 60 s · whole after 3.1 s of at most 60 · 14 objects`, then the violations. */
export function sentenceOf(report: ScenarioReport, folder: string): string {
  const { scenario, causeSeconds, wholeSeconds, bound, objects, violations } = report
  const parts = [
    `${violations.length === 0 ? 'PASS' : 'FAIL'} ${scenario}`,
    `${causeSeconds.toFixed(0)} s`,
    `whole after ${wholeSeconds.toFixed(1)} s of at most ${bound}`,
    `${objects} objects`,
    ...(violations.length === 0 ? [] : [`${violations.length} violations in ${folder}`]),
  ]
  const lines = violations.map(({ invariant, subject, text }) => `  ${invariant} ${subject}: ${text}`)
  return [parts.join(' · '), ...lines].join('\n')
}
