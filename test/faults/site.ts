/** The deployment that serves many runs: two Verifiers behind a balancer, three workers and two spare ones. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Balancer } from '#lab/demo/balancer.ts'
import type { DeploymentOptions } from '#lab/demo/deployment.ts'
import { type LogLine, messageOf } from '#lab/demo/logLine.ts'
import { type SystemUnderTest, startSystem } from '../e2e/systemUnderTest.ts'
import { Pool } from './pool.ts'

export const VERIFIERS = ['verifier', 'verifier-2'] as const
export const WORKERS = ['worker-1', 'worker-2', 'worker-3'] as const
export const SPARE_WORKERS = ['worker-4', 'worker-5'] as const
/** A frozen worker loses its partitions after this time. */
const RESERVATION_MS = 4000
/** Longer than any act keeps the emulator away. */
const INSIST_MS = 60_000

export type Site = {
  readonly system: SystemUnderTest
  readonly balancer: Balancer
  readonly pool: Pool
  /** Each `released` of such a job ends its worker by SIGKILL. */
  readonly killers: Set<string>
  /** Waits, as an act that lasts. */
  readonly pause: (milliseconds: number) => Promise<void>
  /** Arms a fault as soon as the emulator is up. */
  readonly arm: (fault: object) => Promise<void>
}

/** What a run may need otherwise. */
export type SiteOptions = Pick<DeploymentOptions, 'sessionSeconds'>

/** Ended by `closeSite`. */
export async function startSite(options: SiteOptions = {}): Promise<Site> {
  const killers = new Set<string>()
  let pool: Pool | undefined
  const onLine = (program: string, line: LogLine): void => {
    if (messageOf(line) === 'released' && killers.has(String(line['jobId']))) pool?.signal(program, 'SIGKILL')
  }
  const system = await startSystem({
    workers: WORKERS.length,
    spareWorkers: SPARE_WORKERS.length,
    verifiers: VERIFIERS.length,
    partitions: WORKERS.length,
    reservationMs: RESERVATION_MS,
    endsWithProgram: false,
    ...options,
    onLine,
  })
  const { balancer } = system.deployment
  if (balancer === undefined) throw new TypeError('two Verifiers have no balancer')
  pool = new Pool(system.deployment, ['emulator', ...VERIFIERS, 'function', ...WORKERS])
  return {
    system,
    balancer,
    pool,
    killers,
    pause: (milliseconds) => sleep(milliseconds),
    arm: (fault) => insist(() => system.deployment.control.arm(fault)),
  }
}

export async function closeSite({ pool, system }: Site, { keep = false } = {}): Promise<void> {
  pool.close()
  if (keep) await system.deployment.close()
  else await system.close()
}

/** Repeats what fails because the emulator is down for a moment. */
export async function insist<T>(work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + INSIST_MS
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (performance.now() > deadline) throw error
      await sleep(100)
    }
  }
}
