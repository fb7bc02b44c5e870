/** Metrics of the running programs: the peak memory of each worker, and a copy of all metrics at the end. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Deployment } from './deployment.ts'

const SAMPLE_MILLISECONDS = 250

export type MemoryWatch = {
  /** The peak resident memory in bytes, by worker. */
  readonly peaks: ReadonlyMap<string, number>
  readonly stop: () => Promise<void>
}

export function watchMemory(
  deployment: Pick<Deployment, 'metricsOf'>,
  names: readonly string[],
): MemoryWatch {
  const peaks = new Map<string, number>()
  const sample = async (name: string): Promise<void> => {
    const bytes = residentBytes(await deployment.metricsOf(name))
    peaks.set(name, Math.max(bytes, peaks.get(name) ?? 0))
  }
  let sampling: Promise<unknown> = Promise.resolve()
  const timer = setInterval(() => {
    // A worker that does not answer now is sampled again at the next tick.
    sampling = sampling.then(() => Promise.allSettled(names.map(sample)))
  }, SAMPLE_MILLISECONDS)
  return {
    peaks,
    stop: async () => {
      clearInterval(timer)
      await sampling
    },
  }
}

/** Writes `<name>.prom` files in the Prometheus text format. */
export async function copyMetrics(
  deployment: Pick<Deployment, 'metricsOf' | 'folders'>,
  names: readonly string[],
): Promise<void> {
  for (const name of names)
    await writeFile(join(deployment.folders.metrics, `${name}.prom`), await deployment.metricsOf(name))
}

function residentBytes(text: string): number {
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1] ?? 0)
}
