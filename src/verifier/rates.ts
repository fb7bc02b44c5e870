/** Rates per name: a token bucket for each certificate, client or address. */

export type Rate = {
  /** Tokens that come back in a second. */
  readonly perSecond: number
  /** Tokens of a name that was silent. */
  readonly burst: number
}

export type Rates = {
  /** Takes one token, or so many. False if the name has fewer; it then keeps them. */
  readonly take: (name: string, wanted?: number) => boolean
  /** True if `take` would give one. */
  readonly has: (name: string) => boolean
}

/** Authentic requests of one client of the policy, whatever its certificates. */
export const CLIENT_RATE: Rate = { perSecond: 100, burst: 200 }

/** Names at once. Beyond them the one that came first begins anew. */
const MAX_NAMES = 4096

/** `monotonic` is in milliseconds. */
export function createRates({ perSecond, burst }: Rate, monotonic: () => number): Rates {
  const buckets = new Map<string, { readonly tokens: number; readonly at: number }>()
  const tokensOf = (name: string, now: number): number => {
    const bucket = buckets.get(name)
    return bucket === undefined
      ? burst
      : Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond)
  }
  return {
    take: (name, wanted = 1) => {
      const now = monotonic()
      const tokens = tokensOf(name, now)
      if (tokens < wanted) return false
      if (!buckets.has(name) && buckets.size >= MAX_NAMES) forgetOne(buckets)
      buckets.set(name, { tokens: tokens - wanted, at: now })
      return true
    },
    has: (name) => tokensOf(name, monotonic()) >= 1,
  }
}

function forgetOne(buckets: Map<string, unknown>): void {
  for (const name of buckets.keys()) {
    buckets.delete(name)
    return
  }
}
