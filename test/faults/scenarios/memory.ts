/** Workers within the memory of their unit, in real control groups, under the largest lines that are read. */
import { access, constants, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { insist, type Site, WORKERS } from '../site.ts'
import type { Scenario } from './scenario.ts'

/** Version 1. */
const CONTROL_GROUPS = '/sys/fs/cgroup/memory'
/** MemoryMax of systemd/confidential-worker.service. */
const MEMORY_MAX = 512 * 1024 * 1024
/** More than small objects need beyond the idle program, and less than many cells do. */
const SMALL_MAX = 64 * 1024 * 1024
const CELLS = 199_000
const MAX_KILLS = 3
const LARGE_OBJECTS = 4
const LINES = 6
/** Just below the limits of a line: 65,536 values and 4 MiB. */
const VALUES = 60_000
const VALUE = JSON.stringify('x'.repeat(62))
const GONE_MS = 1000
const FOLLOW_MS = 20

type Confinement = {
  /** How many processes the kernel has killed in the groups. */
  readonly kills: () => Promise<number>
  readonly end: () => Promise<void>
}

type Limit = {
  readonly maxBytes: number
  /**
   * Only what a process allocates in its group counts. `start`: it enters just after its start. `ready`: only
   * its jobs count.
   */
  readonly since: 'start' | 'ready'
}

/** Keeps every worker in its group, also after a restart. */
async function confine(site: Site, { maxBytes, since }: Limit): Promise<Confinement> {
  const confined = new Map<string, number>()
  const groupOf = (worker: string) => join(CONTROL_GROUPS, `cw-faults-${process.pid}-${worker}`)
  for (const worker of WORKERS) {
    await mkdir(groupOf(worker))
    await writeFile(join(groupOf(worker), 'memory.limit_in_bytes'), String(maxBytes))
    // What is swapped out would not count.
    await writeFile(join(groupOf(worker), 'memory.swappiness'), '0')
  }
  const follow = async (): Promise<void> => {
    for (const worker of WORKERS) {
      const pid = site.system.pid(worker)
      if (pid === undefined || confined.get(worker) === pid) continue
      if (since === 'ready' && site.pool.absent().includes(worker)) continue
      // It may just have ended.
      await writeFile(join(groupOf(worker), 'cgroup.procs'), String(pid)).catch(() => {})
      confined.set(worker, pid)
    }
  }
  if (since === 'start') for (const worker of WORKERS) site.pool.signal(worker, 'SIGTERM')
  const timer = setInterval(() => void follow(), FOLLOW_MS)
  const kills = async (): Promise<number> => {
    const told = WORKERS.map((worker) => readFile(join(groupOf(worker), 'memory.oom_control'), 'utf8'))
    return (await Promise.all(told)).reduce(
      (sum, text) => sum + Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0),
      0,
    )
  }
  const end = async (): Promise<void> => {
    clearInterval(timer)
    for (const [worker, pid] of confined) {
      const peak = Number(await readFile(join(groupOf(worker), 'memory.max_usage_in_bytes'), 'utf8'))
      console.error(`${worker}: at most ${Math.round(peak / 2 ** 20)} MiB in its group`)
      await writeFile(join(CONTROL_GROUPS, 'cgroup.procs'), String(pid)).catch(() => {})
      await rmdir(groupOf(worker)).catch(() => {})
    }
  }
  return { kills, end }
}

/** Many cells, of which a worker keeps each until the end. */
function manyCells(): string {
  const lines = Array.from({ length: CELLS }, (_, cell) => {
    const code = `{"system":"http://loinc.org","code":"${Math.floor(cell / 10)}-${cell % 10}"}`
    return `{"resourceType":"Observation","code":{"coding":[${code}]},"subject":{"reference":"Patient/${cell}"},"effectiveDateTime":"2020"}\n`
  })
  return lines.join('')
}

function largeLine(index: number): string {
  const values = Array.from({ length: VALUES }, () => VALUE).join(',')
  return `{"resourceType":"Observation","id":"large-${index}","subject":{"reference":"Patient/1"},"note":[${values}]}\n`
}

function lackOfGroups(): Promise<string | undefined> {
  return access(join(CONTROL_GROUPS, 'cgroup.procs'), constants.W_OK).then(
    () => undefined,
    () => 'no writable control groups of version 1',
  )
}

export const MEMORY_SCENARIOS: readonly Scenario[] = [
  {
    name: 'memory',
    about: `workers in control groups of ${MEMORY_MAX / 2 ** 20} MiB, and ${LARGE_OBJECTS} objects of lines of almost 4 MiB`,
    bound: 240,
    needs: lackOfGroups,
    cause: async ({ site, upload, atEnd }) => {
      atEnd((await confine(site, { maxBytes: MEMORY_MAX, since: 'start' })).end)
      await sleep(GONE_MS)
      await insist(() => site.pool.settle())
      const lines = Array.from({ length: LINES }, (_, index) => largeLine(index)).join('')
      await upload(LARGE_OBJECTS, { lines })
      await upload(4)
    },
  },
  {
    name: 'killer-memory',
    about: `an object that needs more than the ${SMALL_MAX / 2 ** 20} MiB of every worker's control group: the kernel kills three, it is set aside, the others have results`,
    bound: 240,
    needs: lackOfGroups,
    cause: async ({ site, upload, atEnd }) => {
      for (const worker of WORKERS) site.pool.allowKills(worker)
      const { kills, end } = await confine(site, { maxBytes: SMALL_MAX, since: 'ready' })
      atEnd(async () => {
        const killed = await kills()
        await end()
        if (killed !== MAX_KILLS)
          throw new RangeError(`the kernel killed ${killed} workers, not ${MAX_KILLS}`)
      })
      await sleep(GONE_MS)
      await insist(() => site.pool.settle())
      await upload(1, { lines: manyCells(), exhausts: true })
      await upload(6)
    },
  },
]
