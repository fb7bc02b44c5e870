/** Whether a measure stays flat: a line fitted by least squares to its level after the warm-up. */

export type Point = { readonly x: number; readonly y: number }

export type Trend = {
  readonly mean: number
  /** The fitted growth over the fitted time, as a share of the mean. */
  readonly growth: number
}

/**
 * Memory goes up until it is collected, in a quiet process only every few minutes: of each three minutes, the
 * lowest value is the level.
 */
const LEVEL_SECONDS = 180

/** Points with x in seconds. The first third is warm-up. Undefined if too little is left. */
export function trendOf(points: readonly Point[]): Trend | undefined {
  const end = Math.max(...points.map(({ x }) => x))
  const levels = levelsOf(points.filter(({ x }) => x >= end / 3))
  if (levels.length < 3) return undefined
  const mean = average(levels.map(({ y }) => y))
  const middle = average(levels.map(({ x }) => x))
  const covariance = average(levels.map(({ x, y }) => (x - middle) * (y - mean)))
  const variance = average(levels.map(({ x }) => (x - middle) ** 2))
  const seconds = Math.max(...levels.map(({ x }) => x)) - Math.min(...levels.map(({ x }) => x))
  return { mean, growth: mean === 0 ? 0 : ((covariance / variance) * seconds) / mean }
}

function levelsOf(points: readonly Point[]): readonly Point[] {
  const levels = new Map<number, Point>()
  for (const point of points) {
    const period = Math.floor(point.x / LEVEL_SECONDS)
    const known = levels.get(period)
    if (known === undefined || point.y < known.y) levels.set(period, point)
  }
  return [...levels.values()]
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
