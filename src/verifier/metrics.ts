/** The Verifier's metrics. Labels are codes, routes and products; none says who asked, or for what. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { CodedError, type ErrorCode } from '#core/errors.ts'
import type { Product } from '#core/snp/product.ts'
import type { Clock } from '#ports/clock.ts'
import type { Connections, Drop } from './connections.ts'
import type { ClientCertificates } from './frontDoor.ts'
import type { PolicyStore } from './policyStore.ts'
import type { Quotas } from './quotas.ts'
import { daysLeft, type RevocationLists } from './revocationLists.ts'
import type { TlsRefusal } from './tlsRefusals.ts'

/** The steps of a release request (release.ts), in their order. */
export type Step = 'authenticate' | 'decide' | 'record' | 'store' | 'issue' | 'flush'

const DAY_SECONDS = 86_400

export type VerifierMetrics = {
  /** One decided job. `code` is empty if its keys were released. */
  readonly answered: (outcome: 'issued' | 'failed' | 'refused', code: ErrorCode | '') => void
  /** One intent of a witnessed checkpoint. `code` is empty if it is permitted. */
  readonly permitted: (outcome: 'permitted' | 'refused', code: ErrorCode | '') => void
  /** One step of a release request, also one that fails. */
  readonly step: (step: Step, seconds: number) => void
  /** A request that was refused as a whole. */
  readonly refused: (code: ErrorCode) => void
  /** A revocation list that was not fetched, or not accepted. */
  readonly crlFailed: (product: Product, code: ErrorCode) => void
  readonly request: (route: string, status: number, seconds: number) => void
  /** The start waits for this place of OCI, by the code of its last answer; undefined when it has it. */
  readonly waits: (place: string, code: ErrorCode | undefined) => void
  /** A handshake that failed. */
  readonly tlsRefused: (reason: TlsRefusal) => void
  /** A connection that was closed to make room. */
  readonly dropped: (reason: Drop) => void
}

export function createMetrics(registry: Registry, simulation: boolean): VerifierMetrics {
  const registers = [registry]
  const releases = new Counter({
    name: 'cw_verifier_releases_total',
    help: 'Decided jobs by outcome (issued, failed, refused) and, if no key was released, the first code',
    labelNames: ['outcome', 'code'],
    registers,
  })
  const permits = new Counter({
    name: 'cw_verifier_permits_total',
    help: 'Intents of results by outcome (permitted, refused) and code',
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
  const steps = new Histogram({
    name: 'cw_verifier_step_duration_seconds',
    help: 'Steps of release requests: authenticate, decide, record, store, issue, flush',
    labelNames: ['step'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  })
  const crlFailures = new Counter({
    name: 'cw_verifier_crl_failures_total',
    help: 'Revocation lists that were not fetched or not accepted; the held one stays',
    labelNames: ['product', 'code'],
    registers,
  })
  const waits = new Gauge({
    name: 'cw_verifier_waits',
    help: '1 while the start waits for a place of OCI, by the code of its last answer',
    labelNames: ['place', 'code'],
    registers,
  })
  const tlsRefusals = new Counter({
    name: 'cw_verifier_tls_refused_total',
    help: 'TLS handshakes that failed, by reason',
    labelNames: ['reason'],
    registers,
  })
  const drops = new Counter({
    name: 'cw_verifier_connections_dropped_total',
    help: 'Connections that were closed to make room, by the limit that was reached',
    labelNames: ['reason'],
    registers,
  })
  new Gauge({
    name: 'cw_verifier_simulation',
    help: '1 if simulated roots are accepted: no protection, only for synthetic data',
    registers,
  }).set(simulation ? 1 : 0)
  return {
    answered: (outcome, code) => releases.inc({ outcome, code }),
    permitted: (outcome, code) => permits.inc({ outcome, code }),
    step: (step, seconds) => steps.observe({ step }, seconds),
    refused: (code) => refused.inc({ code }),
    crlFailed: (product, code) => crlFailures.inc({ product, code }),
    request: (route, status, seconds) => duration.observe({ route, status }, seconds),
    waits: (place, code) => {
      // One place at a time.
      waits.reset()
      if (code !== undefined) waits.set({ place, code }, 1)
    },
    tlsRefused: (reason) => tlsRefusals.inc({ reason }),
    dropped: (reason) => drops.inc({ reason }),
  }
}

/** The ages of what every release depends on, read at each scrape. */
export function publishAges(
  registry: Registry,
  {
    policyStore,
    revocationLists,
    clock,
  }: {
    readonly policyStore: Pick<PolicyStore, 'ageSeconds' | 'freshSeconds' | 'ignored' | 'inForce'>
    readonly revocationLists: Pick<RevocationLists, 'held'>
    readonly clock: Pick<Clock, 'now'>
  },
): void {
  const registers = [registry]
  new Gauge({
    name: 'cw_verifier_policy_age_seconds',
    help: 'Since the governance bucket was last listed; above 30 no key is released',
    registers,
    collect() {
      this.set(policyStore.ageSeconds())
    },
  })
  new Gauge({
    name: 'cw_verifier_freshness_seconds_left',
    help: 'Until the newest freshness statement ends; at 0 or below no key is released',
    registers,
    collect() {
      this.set(policyStore.freshSeconds())
    },
  })
  new Gauge({
    name: 'cw_verifier_governance_ignored',
    help: 'Objects under the names of governance documents that do not count; the log says why',
    registers,
    collect() {
      this.set(policyStore.ignored())
    },
  })
  new Gauge({
    name: 'cw_verifier_governance_days_left',
    help: "Until the end of what is in force: the policy's verifier keys, reference values and permissions",
    labelNames: ['what', 'id'],
    registers,
    collect() {
      this.reset()
      for (const { what, id, end } of endsOf(policyStore))
        this.set({ what, id }, (end - clock.now()) / DAY_SECONDS)
    },
  })
  new Gauge({
    name: 'cw_verifier_crl_days_left',
    help: "Until the revocation list's nextUpdate, negative afterwards; no series without a list",
    labelNames: ['product'],
    registers,
    collect() {
      for (const crl of revocationLists.held()) this.set({ product: crl.product }, daysLeft(crl, clock.now()))
    },
  })
  new Gauge({
    name: 'cw_verifier_crl_age_seconds',
    help: "Since the revocation list's thisUpdate",
    labelNames: ['product'],
    registers,
    collect() {
      for (const { product, thisUpdate } of revocationLists.held())
        this.set({ product }, clock.now() - thisUpdate)
    },
  })
}

type End = { readonly what: string; readonly id: string; readonly end: number }

/** Empty if no policy is in force: then `policy.none` and the readiness probe say so. */
function endsOf({ inForce }: Pick<PolicyStore, 'inForce'>): readonly End[] {
  try {
    const { loaded, keys } = inForce()
    const { policy } = loaded
    return [
      { what: 'policy', id: String(policy.seq), end: policy.expiresAt },
      { what: 'verifier-keys', id: '', end: keys.verifierKeys.exp },
      ...policy.referenceValues.map(({ id, notAfter: end }) => ({ what: 'reference-values', id, end })),
      ...policy.datasets
        .flatMap(({ permissions }) => permissions)
        .map(({ id, notAfter: end }) => ({ what: 'permission', id, end })),
    ]
  } catch (error) {
    if (error instanceof CodedError) return []
    throw error
  }
}

/** How full the quotas are that this replica charges, read at each scrape. */
export function publishQuotas(
  registry: Registry,
  quotas: Pick<Quotas, 'fullest'>,
  clock: Pick<Clock, 'now'>,
): void {
  new Gauge({
    name: 'cw_verifier_quota_fullest_ratio',
    help: 'Used share of the fullest quota in its window, as this replica knows it; at 1 its jobs wait',
    registers: [registry],
    collect() {
      this.set(quotas.fullest(clock.now()))
    },
  })
}

/** The open connections, read at each scrape. */
export function publishConnections(registry: Registry, count: Connections['count']): void {
  new Gauge({
    name: 'cw_verifier_connections',
    help: 'Open connections: before the end of their handshake, and after it',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      const { handshakes, clients } = count()
      this.set({ state: 'handshake' }, handshakes)
      this.set({ state: 'client' }, clients)
    },
  })
}

/** Who looks at the certificates of clients. */
export function publishClientCertificates(registry: Registry, mode: ClientCertificates): void {
  new Gauge({
    name: 'cw_verifier_client_certificates',
    help: '1 by who looks at client certificates: required (this Verifier), at-gateway (a gateway before it)',
    labelNames: ['mode'],
    registers: [registry],
  }).set({ mode }, 1)
}
