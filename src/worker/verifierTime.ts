/**
 * The Verifier's time, for evidence: the time of the first nonce, then of the latest verified grant, plus
 * what a monotonic clock has counted since. The host chooses the guest's wall clock, so evidence never uses
 * it.
 */
import { toUnixSeconds, type UnixSeconds } from '#core/time.ts'

export class VerifierTime {
  readonly #monotonic: () => number
  // Invariant: #base is the latest time observed, and was observed at #at of the monotonic clock.
  #base: UnixSeconds = toUnixSeconds(0)
  #at = 0

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
  }

  observe(time: UnixSeconds): void {
    if (time < this.now()) return
    this.#base = time
    this.#at = this.#monotonic()
  }

  now(): UnixSeconds {
    return toUnixSeconds(this.#base + Math.floor((this.#monotonic() - this.#at) / 1000))
  }
}
