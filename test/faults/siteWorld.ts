/** What the judge gets to see of a deployment. */
import { copyMetrics } from '#lab/demo/metrics.ts'
import { GROUP, STREAMS } from '#lab/demo/names.ts'
import { POPULATION_CANARIES } from '#lab/demo/population.ts'
import type { UploadedObject, World } from './oracle/world.ts'
import { insist, type Site } from './site.ts'

/** At rest: with the metrics of every program. */
export async function worldOf(site: Site, uploads: readonly UploadedObject[]): Promise<World> {
  // A killer that was set aside has ended its last worker a moment ago.
  const monitored = site.pool.wanted.filter((name) => /^(worker|verifier)/.test(name))
  await insist(() => copyMetrics(site.system.deployment, monitored))
  return worldMeanwhile(site, uploads)
}

/** At any moment. */
export function worldMeanwhile({ system }: Site, uploads: readonly UploadedObject[]): World {
  const { endpoint, folders } = system.deployment
  return {
    endpoint,
    folders,
    uploads,
    canaries: Object.values(POPULATION_CANARIES).flat(),
    streams: STREAMS,
    group: GROUP,
    buckets: {
      results: 'results',
      workerEvidence: 'evidence-worker',
      verifierEvidence: 'evidence-verifier',
      workerState: 'worker-state',
      outbox: 'outbox',
    },
  }
}
