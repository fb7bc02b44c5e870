/** Choices from a seed: the same on every machine, and independent of everything but the seed. */
import { mulberry32 } from '#lab/mulberry32.ts'

export type Random = {
  /** From `low` to `high`, both included. */
  readonly between: (low: number, high: number) => number
  /** True with this probability. */
  readonly chance: (probability: number) => boolean
  /** Throws RangeError if there is no choice. */
  readonly pick: <T>(choices: readonly T[]) => T
  readonly weighted: <T extends { readonly weight: number }>(choices: readonly T[]) => T
}

export function createRandom(seed: number): Random {
  const next = mulberry32(seed)
  const between = (low: number, high: number) => low + Math.floor(next() * (high - low + 1))
  return {
    between,
    chance: (probability) => next() < probability,
    pick: (choices) => present(choices[between(0, choices.length - 1)]),
    weighted: (choices) => {
      let left = next() * choices.reduce((sum, { weight }) => sum + weight, 0)
      for (const choice of choices) {
        left -= choice.weight
        if (left < 0) return choice
      }
      return present(choices.at(-1))
    },
  }
}

function present<T>(choice: T | undefined): T {
  if (choice === undefined) throw new RangeError('there is nothing to choose from')
  return choice
}
