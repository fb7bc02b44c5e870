/** What happens to processes: they stop for a minute, die at once, come and go. */
import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { insist, type Site, SPARE_WORKERS, VERIFIERS, WORKERS } from '../site.ts'
import type { Scenario } from './scenario.ts'

const FROZEN_MS = 60_000
const WRONG_WORKERS = ['probe-unapproved', 'probe-debug', 'probe-platform']
const WRONG_MS = 40_000
const GONE_MS = 1000

function freeze(program: string, kind: string): Scenario {
  return {
    name: `freeze-${kind}`,
    about: `SIGSTOP of ${program} for a minute`,
    cause: ({ site, under }) => under(site.pool.freeze(program, FROZEN_MS)),
  }
}

/** Kills all at once, and returns when every program serves again. */
async function kill({ pool }: Site, programs: readonly string[]): Promise<void> {
  for (const program of programs) pool.signal(program, 'SIGKILL')
  // None of them is gone yet.
  await sleep(GONE_MS)
  await insist(() => pool.settle())
}

/** Changes the `trust` of a worker's configuration. */
async function changeTrust(
  { system }: Site,
  worker: string,
  changes: Readonly<Record<string, unknown>>,
): Promise<void> {
  const file = system.deployment.configOf(worker)
  const config = JSON.parse(await readFile(file, 'utf8'))
  await writeFile(file, JSON.stringify({ ...config, trust: { ...config.trust, ...changes } }))
}

export const PROCESS_SCENARIOS: readonly Scenario[] = [
  freeze('worker-1', 'worker'),
  freeze('verifier', 'verifier'),
  freeze('function', 'function'),
  freeze('emulator', 'oci'),
  {
    name: 'kill-all',
    about: 'SIGKILL of every process at once, three times',
    cause: async ({ site, upload }) => {
      for (let round = 0; round < 3; round += 1) {
        await upload(3)
        await kill(site, site.pool.wanted)
      }
    },
  },
  {
    name: 'kill-half',
    about: 'SIGKILL of two of three workers and one of two Verifiers at once, five times',
    cause: async ({ site, upload }) => {
      for (let round = 0; round < 5; round += 1) {
        await upload(2)
        const spared = WORKERS[round % WORKERS.length]
        const verifier = VERIFIERS[round % VERIFIERS.length] ?? 'verifier'
        await kill(site, [verifier, ...WORKERS.filter((worker) => worker !== spared)])
      }
    },
  },
  {
    name: 'grow-and-shrink',
    about: 'a pool of 1, 5 and 1 workers under load, twice',
    cause: async ({ site, under }) => {
      const { pool } = site
      const [first, ...others] = [...WORKERS, ...SPARE_WORKERS]
      const resize = async (): Promise<void> => {
        for (let round = 0; round < 2; round += 1) {
          for (const name of others) await pool.stop(name)
          await sleep(8000)
          for (const name of others) pool.start(name)
          await sleep(12_000)
        }
        for (const name of SPARE_WORKERS) await pool.stop(name)
        for (const name of WORKERS) if (name !== first) pool.start(name)
      }
      await under(resize())
    },
  },
  {
    name: 'wrong-workers',
    about: 'three workers on machines that get no key beside three right ones: they consume no work',
    cause: async ({ site, under }) => {
      for (const name of WRONG_WORKERS) site.pool.start(name)
      await under(sleep(WRONG_MS))
      for (const name of WRONG_WORKERS) await site.pool.stop(name)
    },
  },
  {
    name: 'wrong-purpose',
    about: 'two right machines with a purpose that nobody permits beside three right workers',
    cause: async ({ site, under }) => {
      for (const name of SPARE_WORKERS) {
        await changeTrust(site, name, { purpose: 'HMARKT' })
        site.pool.start(name)
      }
      await under(sleep(WRONG_MS))
      for (const name of SPARE_WORKERS) await site.pool.stop(name)
    },
  },
  {
    name: 'killer-job',
    about: 'a job that kills its worker three times among others: it is set aside, they have results',
    bound: 90,
    cause: async ({ upload }) => {
      await upload(1, { kills: true })
      await upload(6)
    },
  },
  {
    name: 'idle',
    about: 'nothing for --minutes (an hour by default), then a burst',
    cause: async ({ minutes }) => {
      await sleep(minutes * 60_000)
    },
  },
]
