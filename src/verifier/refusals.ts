/**
 * Whoever is turned away before a decision: counted in the metrics and in the evidence, and logged at a rate
 * that no stranger chooses.
 */
import { errorFields, type Log, type LogFields } from '#adapters/system/log.ts'
import type { ErrorCode } from '#core/errors.ts'
import type { Clock } from '#ports/clock.ts'
import { DecidedRefusal } from './decidedRefusal.ts'
import type { VerifierMetrics } from './metrics.ts'
import { createRates } from './rates.ts'
import type { RefusalCounts } from './refusalCounts.ts'
import type { TlsRefusal } from './tlsRefusals.ts'

/** Lines of one code or reason. */
const LINE_RATE = { perSecond: 1, burst: 32 } as const

export type Refusals = {
  readonly request: (refusal: {
    readonly code: ErrorCode
    readonly id: string
    readonly address: string
    readonly error: unknown
  }) => void
  readonly handshake: (reason: TlsRefusal, address: string) => void
}

export function createRefusals(
  counts: Pick<RefusalCounts, 'count'>,
  metrics: Pick<VerifierMetrics, 'refused' | 'tlsRefused'>,
  { clock, log }: { readonly clock: Pick<Clock, 'now' | 'monotonic'>; readonly log: Pick<Log, 'info'> },
): Refusals {
  const rates = createRates(LINE_RATE, clock.monotonic)
  const unsaid = new Map<string, number>()
  /** A line says how many of its kind were left out before it. */
  const say = (kind: string, message: string, fields: LogFields): void => {
    const omitted = unsaid.get(kind) ?? 0
    if (!rates.take(kind)) {
      unsaid.set(kind, omitted + 1)
      return
    }
    unsaid.delete(kind)
    log.info(message, omitted === 0 ? fields : { ...fields, omitted })
  }
  return {
    request: ({ code, id, address, error }) => {
      // A decision has an entry of its own.
      if (!(error instanceof DecidedRefusal)) counts.count(code, address, clock.now())
      metrics.refused(code)
      say(code, 'request refused', { denialId: id, ...errorFields(error), code })
    },
    handshake: (reason, address) => {
      metrics.tlsRefused(reason)
      // A load balancer's probes are no refusals.
      if (reason === 'abandoned') return
      counts.count('tls.refused', address, clock.now())
      say(reason, 'TLS refused', { code: 'tls.refused', reason })
    },
  }
}
