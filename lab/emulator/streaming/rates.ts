/** Streaming's rate limits: a number of units within any second of the service's clock. */
export type Rates = {
  /** Counts `units`. Returns false and counts nothing if they would exceed the limit. */
  readonly take: (what: string, units: number, limit: number) => boolean
}

const WINDOW_MS = 1000

export function createRates(now: () => number): Rates {
  const taken = new Map<string, { readonly at: number; readonly units: number }[]>()
  return {
    take: (what, units, limit) => {
      const at = now()
      const recent = (taken.get(what) ?? []).filter((each) => at - each.at < WINDOW_MS)
      const used = recent.reduce((sum, each) => sum + each.units, 0)
      const fits = used + units <= limit
      if (fits) recent.push({ at, units })
      taken.set(what, recent)
      return fits
    },
  }
}
