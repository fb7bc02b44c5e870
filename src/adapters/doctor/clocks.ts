/** Rows about clocks: OCI's and the Verifier's, as their answers state them. */
import type { ClockSkew, TimeSource } from '#adapters/system/clockSkew.ts'
import { type Check, finding, good } from './check.ts'

/** Programs say more than this in their log. A Verifier refuses with 60, OCI with 300. */
const MOST_SECONDS = 30

/** `ask` has the source answer; whatever it says of the request, its answer states its time. */
export function clockCheck<Context extends { readonly skew: ClockSkew }>(
  source: TimeSource,
  ask: (context: Context, signal: AbortSignal) => Promise<unknown>,
): Check<Context> {
  return {
    id: `clock.${source}`,
    tries:
      source === 'oci'
        ? "compares this clock with OCI's header Date"
        : "compares this clock with the nonce's time",
    expects: `at most ${MOST_SECONDS} seconds`,
    remedy: 'run NTP on this machine; OCI refuses every request from five minutes on, a Verifier from one',
    run: async (context, signal) => {
      const asked = await ask(context, signal).catch((error: unknown) => ({ error }))
      const seconds = context.skew.seconds(source)
      if (seconds !== undefined) {
        const found = `this clock is ${Math.abs(seconds)} seconds ${seconds < 0 ? 'behind' : 'ahead'}`
        return Math.abs(seconds) > MOST_SECONDS ? finding(found) : good(found)
      }
      if (typeof asked === 'object' && asked !== null && 'error' in asked) throw asked.error
      return finding('the answer states no time')
    },
  }
}
