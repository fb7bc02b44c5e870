/**
 * Counts over time, in equal spans that are short enough to show a shape and few enough to be drawn. A span is
 * a whole number of the one before it, so that counts in short spans become counts in longer ones.
 */
import { timeText } from '#cli/policy/words.ts'
import type { TimeChart } from './charts.ts'

const DAY = 86_400
const SPANS = [
  [1, 'second'],
  [10, '10 seconds'],
  [60, 'minute'],
  [300, '5 minutes'],
  [900, '15 minutes'],
  [3600, 'hour'],
  [21_600, '6 hours'],
  [DAY, 'day'],
  [7 * DAY, 'week'],
  [28 * DAY, '4 weeks'],
  [364 * DAY, '52 weeks'],
] as const
const DRAWN = 60
/** Spans with a count, before longer ones take their place. */
const MAX_KEPT = 10_000
/** From 1970 to 9999 there are more than are drawn. Times that far apart are not drawn at all. */
const MAX_DRAWN = 200

export class OverTime {
  #span = 0
  /** Allowed and refused, by the number of the span since 1970. */
  #counts = new Map<number, [number, number]>()

  add(time: number, kind: 'allowed' | 'refused'): void {
    const count: [number, number] = kind === 'allowed' ? [1, 0] : [0, 1]
    addTo(this.#counts, Math.floor(time / secondsOf(this.#span)), count)
    if (this.#counts.size > MAX_KEPT) this.#widen(this.#span + 1)
  }

  /** Undefined without any, or if they are ages apart. */
  chart(): { readonly span: string; readonly buckets: TimeChart['buckets'] } | undefined {
    if (this.#counts.size === 0) return undefined
    const ends = () => {
      const all = [...this.#counts.keys()]
      return { first: all.reduce((a, b) => Math.min(a, b)), last: all.reduce((a, b) => Math.max(a, b)) }
    }
    while (ends().last - ends().first >= DRAWN && this.#span < SPANS.length - 1) this.#widen(this.#span + 1)
    const { first, last } = ends()
    if (last - first >= MAX_DRAWN) return undefined
    const seconds = secondsOf(this.#span)
    return {
      span: SPANS[this.#span]?.[1] ?? '',
      buckets: Array.from({ length: last - first + 1 }, (_, n) => ({
        label: timeText((first + n) * seconds),
        values: this.#counts.get(first + n) ?? [0, 0],
      })),
    }
  }

  #widen(span: number): void {
    const before = secondsOf(this.#span)
    const wider = new Map<number, [number, number]>()
    for (const [number, count] of this.#counts)
      addTo(wider, Math.floor((number * before) / secondsOf(span)), count)
    this.#span = Math.min(span, SPANS.length - 1)
    this.#counts = wider
  }
}

function secondsOf(span: number): number {
  return SPANS[Math.min(span, SPANS.length - 1)]?.[0] ?? 1
}

function addTo(
  counts: Map<number, [number, number]>,
  number: number,
  [allowed, refused]: [number, number],
): void {
  const count = counts.get(number) ?? [0, 0]
  count[0] += allowed
  count[1] += refused
  counts.set(number, count)
}
