/**
 * The scopes of the worst requests that the limits admit: the time that one of them may keep the event loop is
 * five milliseconds. Processor time, so other load on the machine does not count.
 */
import { codeOf } from '#core/errors.ts'
import { askedScopesDigest } from '#core/release/assertion.ts'
import { WORST_CLAIMS } from '../test/core/release/worstScopes.ts'
import type { Benchmark } from './benchmark.ts'
import { speedsOf } from './processorTime.ts'

const LIMIT_MS = 5
const PACE = { rounds: 15, warmUpRounds: 2, roundSeconds: 0.05 }

export const scopes: Benchmark = {
  name: 'scopes',
  what: 'the scopes of the worst requests, compared with what the event loop may be kept',
  run: async () =>
    Object.entries(WORST_CLAIMS).map(([what, claim]) => {
      const [speed] = speedsOf([() => expand(claim)], PACE)
      return {
        what,
        unit: 'ms',
        measured: 1000 / speed,
        against: 'the limit',
        limit: LIMIT_MS,
        bar: { atMost: 1 },
      }
    }),
}

function expand(claim: string): void {
  try {
    askedScopesDigest(claim)
  } catch (error) {
    if (codeOf(error) !== 'scope.invalid') throw error
  }
}
