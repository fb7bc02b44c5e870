/**
 * A challenge and a release while a hostile client floods the Verifier, compared with the same in the same run
 * without the flood. Rounds alternate, so other load on the machine affects both sides alike. All processes
 * share the machine: the flooder is nice, so that its own work takes nothing from the others. On a busy machine
 * that weakens the flood, so run this on an idle one. A request that fails counts as long as one may take, so a
 * flood that keeps the client out is slow, whatever it is refused with.
 */
import { abandonable } from '#adapters/system/abandonable.ts'
import { deployTarget, FLOODS, startFlood } from '../test/verifier/floods.ts'
import type { Benchmark, Row } from './benchmark.ts'

const ROUNDS = 4
const REQUESTS_PER_ROUND = 8
/** Twenty times what an idle machine needs for one. */
const REQUEST_MILLISECONDS = 5_000
/** The requests that are not begun by then have failed. */
const ROUND_MILLISECONDS = 10_000
const NICE = 19
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
          const end = await startFlood(flood, target, { nice: NICE })
          try {
            under.push(...(await timesOf(target.obtain)))
          } finally {
            await end()
          }
        }
        const failed = under.filter((time) => time >= REQUEST_MILLISECONDS).length
        rows.push({
          what: `${flood}, ${failed} of ${under.length} failed`,
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
  const last = performance.now() + ROUND_MILLISECONDS
  const times: number[] = []
  for (let count = 0; count < REQUESTS_PER_ROUND; count += 1)
    times.push(performance.now() < last ? await timeOf(request) : REQUEST_MILLISECONDS)
  return times
}

async function timeOf(request: () => Promise<unknown>): Promise<number> {
  const from = performance.now()
  try {
    await abandonable(request(), AbortSignal.timeout(REQUEST_MILLISECONDS))
    return performance.now() - from
  } catch {
    return REQUEST_MILLISECONDS
  }
}

function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
