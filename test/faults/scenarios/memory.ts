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
const LARGE_OBJECTS = 4
const LINES = 6
/** Just below the limits of a line: 65,536 values and 4 MiB. */
const VALUES = 60_000
const VALUE = JSON.stringify('x'.repeat(62))
const GONE_MS = 1000
const FOLLOW_MS = 20

/** Keeps every worker in its group, also after a restart. Returns what ends it. */
async function confine(site: Site): Promise<() => Promise<void>> {
  const confined = new Map<string, number>()
  const groupOf = (worker: string) => join(CONTROL_GROUPS, `cw-faults-${process.pid}-${worker}`)
  for (const worker of WORKERS) {
    await mkdir(groupOf(worker))
    await writeFile(join(groupOf(worker), 'memory.limit_in_bytes'), String(MEMORY_MAX))
  }
  const follow = async (): Promise<void> => {
    for (const worker of WORKERS) {
      const pid = site.system.pid(worker)
      if (pid === undefined || confined.get(worker) === pid) continue
      // It may just have ended.
      await writeFile(join(groupOf(worker), 'cgroup.procs'), String(pid)).catch(() => {})
      confined.set(worker, pid)
    }
  }
  // Only what a process allocates in the group counts: it enters it just after its start.
  for (const worker of WORKERS) site.pool.signal(worker, 'SIGTERM')
  const timer = setInterval(() => void follow(), FOLLOW_MS)
  return async () => {
    clearInterval(timer)
    for (const [worker, pid] of confined) {
      const peak = Number(await readFile(join(groupOf(worker), 'memory.max_usage_in_bytes'), 'utf8'))
      console.error(`${worker}: at most ${Math.round(peak / 2 ** 20)} MiB in its group`)
      await writeFile(join(CONTROL_GROUPS, 'cgroup.procs'), String(pid)).catch(() => {})
      await rmdir(groupOf(worker)).catch(() => {})
    }
  }
}

function largeLine(index: number): string {
  const values = Array.from({ length: VALUES }, () => VALUE).join(',')
  return `{"resourceType":"Observation","id":"large-${index}","subject":{"reference":"Patient/1"},"note":[${values}]}\n`
}

export const MEMORY_SCENARIOS: readonly Scenario[] = [
  {
    name: 'memory',
    about: `workers in control groups of ${MEMORY_MAX / 2 ** 20} MiB, and ${LARGE_OBJECTS} objects of lines of almost 4 MiB`,
    bound: 240,
    needs: () =>
      access(join(CONTROL_GROUPS, 'cgroup.procs'), constants.W_OK).then(
        () => undefined,
        () => 'no writable control groups of version 1',
      ),
    cause: async ({ site, upload, atEnd }) => {
      atEnd(await confine(site))
      await sleep(GONE_MS)
      await insist(() => site.pool.settle())
      const lines = Array.from({ length: LINES }, (_, index) => largeLine(index)).join('')
      await upload(LARGE_OBJECTS, { lines })
      await upload(4)
    },
  },
]
