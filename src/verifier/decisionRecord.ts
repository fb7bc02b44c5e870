/**
 * The evidence of decisions, stored before the Vault is asked for a key: one entry on the worker, which the
 * entries on its jobs name. Jobs that are refused for the same reasons share an entry. Beside the entries the
 * request itself is kept, and the terms that are granted.
 */
import type { SealedLog } from '#adapters/evidence/log.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import type { EntryBody } from '#core/evidence/entry.ts'
import { type Recorded, recorded } from '#core/evidence/record.ts'
import { grantedTerms } from '#core/policy/terms.ts'
import type { GrantedJob } from '#core/release/decide.ts'
import type { Denial } from '#core/release/refusal.ts'
import type { AuthenticRequest } from './authenticate.ts'
import type { Boot } from './boot.ts'
import type { Decision } from './decision.ts'
import {
  acceptedWorker,
  addTrace,
  datasetsOf,
  decidedRelease,
  firstOf,
  headerDigestsOf,
  type RefusedJobs,
  randomId,
  refusedJobs,
  refusedWorker,
  told,
} from './decisionEntries.ts'
import { recordRequest } from './requestRecord.ts'

/** A release that `release.decided` records, at this index of the log. It has no answer yet. */
export type DecidedRelease = {
  readonly kind: 'decided'
  readonly releaseId: string
  readonly traceparent: string
  readonly index: number
  readonly granted: GrantedJob
}
export type RecordedDecision = DecidedRelease | { readonly kind: 'refused'; readonly denial: Denial }

type RecordingBoot = Pick<Boot, 'evidence' | 'metrics' | 'roots'>

/**
 * Appends the decision, or those on the jobs in order: all of them or none, each with room for its end. Until
 * they are stored, no answer leaves. If the request is refused as a whole, stores that and returns its denial.
 */
export async function recordDecision(
  authentic: AuthenticRequest,
  decision: Decision,
  { evidence, metrics, roots }: RecordingBoot,
  deadline: AbortSignal,
): Promise<Denial | readonly RecordedDecision[]> {
  const { jobs } = authentic.request
  const { policy } = authentic.inForce.loaded
  const { digest, objects } = recordRequest(authentic, roots)
  if (decision.kind === 'refused') {
    const denialId = randomId()
    evidence.appendAll([refusedWorker(authentic, digest, denialId, decision)], objects)
    await evidence.flush(deadline)
    return { code: firstOf(decision.reasons), denialId }
  }
  const accepted = evidence.nextIndex()
  const entries: EntryBody[] = [acceptedWorker(authentic, digest, decision.verdict)]
  const terms: Recorded[] = []
  const refused = new Map<string, RefusedJobs>()
  const decisions = jobs.map((job, i): RecordedDecision => {
    const decided = decision.jobs[i]
    if (decided === undefined) throw new CodedError('internal.fault', 'a job has no decision')
    if (decided.kind === 'granted') {
      const entry = decidedRelease(job, decided, accepted)
      terms.push(recorded('terms', grantedTerms(decided.permission).termsBytes))
      const index = accepted + entries.push(entry) - 1
      const { releaseId, traceparent } = entry
      return { kind: 'decided', releaseId, traceparent, index, granted: decided }
    }
    // The same reasons are said once for a dataset.
    const reasons = told(decided.reasons)
    const [dataset = null] = datasetsOf([job], policy)
    const same = JSON.stringify([dataset, reasons])
    const entry =
      refused.get(same) ?? refusedJobs(reasons, { dataset, quota: decided.quota ?? null, accepted })
    if (!refused.has(same)) entries.push(entry)
    refused.set(same, entry)
    entry.headerDigests.push(...headerDigestsOf(job))
    addTrace(entry.traceparents, job)
    return { kind: 'refused', denial: { code: firstOf(reasons), denialId: entry.denialId } }
  })
  evidence.appendAll(entries, [...objects, ...terms])
  for (const decided of decisions)
    if (decided.kind === 'refused') metrics.answered('refused', decided.denial.code)
  return decisions
}

/** If the log cannot be written, no answer leaves, and each decided release ends here as failed. */
export async function storeDecisions(
  decisions: readonly RecordedDecision[],
  { evidence, metrics }: Pick<RecordingBoot, 'evidence' | 'metrics'>,
  deadline: AbortSignal,
): Promise<SealedLog> {
  try {
    return await evidence.flush(deadline)
  } catch (error) {
    const code = codeOf(error)
    for (const decision of decisions) {
      if (decision.kind === 'refused') continue
      evidence.append({ event: 'release.failed', releaseId: decision.releaseId, code })
      metrics.answered('failed', code)
    }
    // The request does not wait any more, but the ends should be stored soon. Later flushes meet a failure.
    evidence.flush().catch(() => {})
    throw error
  }
}
