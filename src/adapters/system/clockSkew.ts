/**
 * How far this machine's clock is from the clocks of OCI and of the Verifier. It is measured from their
 * answers, which say their time to the second: OCI's in the header `Date`, the Verifier's in its nonces.
 */
import { Gauge, type Registry } from 'prom-client'
import type { Clock } from '#ports/clock.ts'
import type { Log } from './log.ts'

export type TimeSource = 'oci' | 'verifier'

/** More than this is said in the log. OCI refuses 300 seconds, a Verifier refuses to work with 60. */
const TOLD_SECONDS = 30

const NAMES = { oci: "OCI's", verifier: "the Verifier's" } as const satisfies Record<TimeSource, string>

export type ClockSkew = {
  /**
   * Called when a request is sent; the returned function takes the time that the answer states, in unix
   * seconds.
   */
  readonly asking: (source: TimeSource) => (seconds: number) => void
  /** Whole seconds, positive if this clock is ahead. Undefined before the first answer. */
  readonly seconds: (source: TimeSource) => number | undefined
  /** A clause for the message of an error that a wrong clock may have caused; empty below 30 seconds. */
  readonly clause: (source: TimeSource) => string
}

export function createClockSkew(
  clock: Pick<Clock, 'now' | 'monotonic'>,
  log?: Pick<Log, 'info' | 'warn'>,
): ClockSkew {
  const times: Readonly<Record<TimeSource, SourceTime>> = {
    oci: new SourceTime(),
    verifier: new SourceTime(),
  }
  const wrong = new Set<TimeSource>()

  const seconds = (source: TimeSource): number | undefined => {
    const theirs = times[source].at(clock.monotonic())
    // This clock says full seconds; half of one has passed on average.
    return theirs === undefined ? undefined : Math.round((clock.now() * 1000 + 500 - theirs) / 1000)
  }
  const isWrong = (skew: number | undefined): skew is number =>
    skew !== undefined && Math.abs(skew) > TOLD_SECONDS
  const tell = (source: TimeSource): void => {
    const skewSeconds = seconds(source)
    if (isWrong(skewSeconds) === wrong.has(source)) return
    if (isWrong(skewSeconds)) {
      wrong.add(source)
      log?.warn('clock differs', { source, skewSeconds })
    } else {
      wrong.delete(source)
      log?.info('clock agrees again', { source, skewSeconds })
    }
  }

  return {
    asking: (source) => {
      const sentAt = clock.monotonic()
      return (theirSeconds) => {
        times[source].observe(theirSeconds, sentAt, clock.monotonic())
        tell(source)
      }
    },
    seconds,
    clause: (source) => {
      const skew = seconds(source)
      if (!isWrong(skew)) return ''
      return `; this clock is ${Math.abs(skew)} seconds ${skew > 0 ? 'ahead of' : 'behind'} ${NAMES[source]}`
    },
  }
}

/**
 * Bounds of a source's time less the monotonic clock, in milliseconds. This clock is not part of them, so a
 * step of it shows at once. Each answer narrows them. If one contradicts them, the source's clock or the
 * monotonic one has moved, and only the new answer counts.
 */
class SourceTime {
  // Invariant: #low <= #high; infinite before the first answer.
  #low = Number.NEGATIVE_INFINITY
  #high = Number.POSITIVE_INFINITY

  /** The source read its clock between the two times, and cut it to the second. */
  observe(seconds: number, sentAt: number, receivedAt: number): void {
    if (!Number.isFinite(seconds)) return
    const low = seconds * 1000 - receivedAt
    const high = seconds * 1000 + 1000 - sentAt
    const contradicts = low > this.#high || high < this.#low
    this.#low = contradicts ? low : Math.max(low, this.#low)
    this.#high = contradicts ? high : Math.min(high, this.#high)
  }

  at(monotonic: number): number | undefined {
    return Number.isFinite(this.#low) ? (this.#low + this.#high) / 2 + monotonic : undefined
  }
}

/** Read at each scrape, so that a step of this clock shows at once. */
export function publishClockSkew(
  registry: Registry,
  skew: Pick<ClockSkew, 'seconds'>,
  sources: readonly TimeSource[],
): void {
  new Gauge({
    name: 'cw_clock_skew_seconds',
    help: 'This clock less that of the source, positive if this one is ahead; no series before an answer',
    labelNames: ['source'],
    registers: [registry],
    collect() {
      for (const source of sources) {
        const seconds = skew.seconds(source)
        if (seconds !== undefined) this.set({ source }, seconds)
      }
    },
  })
}
