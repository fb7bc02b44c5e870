/** What the Verifier counts. Labels are codes and routes: nothing of who asked, or for what. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { ErrorCode } from '#core/errors.ts'
import type { Product } from '#core/snp/product.ts'

export type VerifierMetrics = {
  /** One decided job. `code` is empty where keys went out. */
  readonly answered: (outcome: 'issued' | 'failed' | 'refused', code: ErrorCode | '') => void
  /** A request that was refused as a whole. */
  readonly refused: (code: ErrorCode) => void
  /** A revocation list that could not be had, or not be taken. */
  readonly crlFailed: (product: Product, code: ErrorCode) => void
  readonly request: (route: string, status: number, seconds: number) => void
}

/**
 * `policyAge`: seconds since the policy in force was last confirmed; infinite before the first time. `crls`: the revocation lists
 * that are held, by product; times in seconds.
 */
export function createMetrics(
  registry: Registry,
  {
    simulation,
    policyAge,
    crls,
  }: {
    readonly simulation: boolean
    readonly policyAge: () => number
    readonly crls: () => readonly { readonly product: Product; readonly left: number; readonly age: number }[]
  },
): VerifierMetrics {
  const registers = [registry]
  const releases = new Counter({
    name: 'cw_verifier_releases_total',
    help: 'Decided jobs by outcome (issued, failed, refused) and, where no key went out, the first code',
    labelNames: ['outcome', 'code'],
    registers,
  })
  const refused = new Counter({
    name: 'cw_verifier_requests_refused_total',
    help: 'Requests that were refused as a whole, by code',
    labelNames: ['code'],
    registers,
  })
  const duration = new Histogram({
    name: 'cw_verifier_request_duration_seconds',
    help: 'From the last byte of a request to the first of its answer',
    labelNames: ['route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  })
  new Gauge({
    name: 'cw_verifier_policy_age_seconds',
    help: 'Since the governance bucket was last listed; above 30 nothing is released',
    registers,
    collect() {
      this.set(policyAge())
    },
  })
  new Gauge({
    name: 'cw_verifier_crl_days_left',
    help: "Until the revocation list's nextUpdate, negative afterwards; no series where no list is held",
    labelNames: ['product'],
    registers,
    collect() {
      for (const { product, left } of crls()) this.set({ product }, left / 86_400)
    },
  })
  new Gauge({
    name: 'cw_verifier_crl_age_seconds',
    help: "Since the revocation list's thisUpdate",
    labelNames: ['product'],
    registers,
    collect() {
      for (const { product, age } of crls()) this.set({ product }, age)
    },
  })
  const crlFailures = new Counter({
    name: 'cw_verifier_crl_failures_total',
    help: 'Revocation lists that could not be had, or not be taken; the one that is held stays',
    labelNames: ['product', 'code'],
    registers,
  })
  new Gauge({
    name: 'cw_verifier_simulation',
    help: '1 where simulated roots are let in: no protection, synthetic data alone',
    registers,
  }).set(simulation ? 1 : 0)
  return {
    answered: (outcome, code) => releases.inc({ outcome, code }),
    refused: (code) => refused.inc({ code }),
    crlFailed: (product, code) => crlFailures.inc({ product, code }),
    request: (route, status, seconds) => duration.observe({ route, status }, seconds),
  }
}
