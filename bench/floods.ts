/**
 * A challenge and a release while a hostile client floods the Verifier, compared with the same in the same run
 * without the flood. Rounds alternate, so other load on the machine affects both sides alike. All processes
 * share the machine, so it also counts what the flooder itself takes.
 */
import { deployTarget, FLOODS, startFlood } from '../test/verifier/floods.ts'
import type { Benchmark, Row } from './benchmark.ts'

const ROUNDS = 4
const REQUESTS_PER_ROUND = 8
const BAR = { atMost: 2 }

export const floods: Benchmark = {
  name: 'floods',
  what: 'a release of a good client under each flood, compared with the same client alone',
  run: async () => {
    const ends: (() => unknown)[] = []
    try {
      const target = await deployTarget({ after: (end) => ends.push(end) })
      for (let warmUp = 0; warmUp < REQUESTS_PER_ROUND; warmUp += 1) await target.obtain()
      const rows: Row[] = []
      for (const flood of FLOODS) {
        const alone: number[] = []
        const under: number[] = []
        for (let round = 0; round < ROUNDS; round += 1) {
          alone.push(...(await timesOf(target.obtain)))
          const end = await startFlood(flood, target.url, target.file)
          under.push(...(await timesOf(target.obtain)))
          await end()
        }
        rows.push({
          what: flood,
          unit: 'ms',
          measured: medianOf(under),
          against: 'alone',
          limit: medianOf(alone),
          bar: BAR,
        })
      }
      return rows
    } finally {
      for (const end of ends.reverse()) await end()
    }
  },
}

async function timesOf(request: () => Promise<unknown>): Promise<readonly number[]> {
  const times: number[] = []
  for (let count = 0; count < REQUESTS_PER_ROUND; count += 1) {
    const from = performance.now()
    await request()
    times.push(performance.now() - from)
  }
  return times
}

function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
