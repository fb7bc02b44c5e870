/**
 * The evidence of decisions, stored before the Vault is asked for a key: one entry on the worker, which the
 * entries on its jobs name. Jobs that are refused for the same reasons share an entry.
 */
import { randomBytes } from 'node:crypto'
import type { SealedLog } from '#adapters/evidence/log.ts'
import type { AcceptedVerdict } from '#core/appraisal/appraise.ts'
import { sha256, toBase64url, toHex } from '#core/bytes.ts'
import { CodedError, codeOf, type Refusal } from '#core/errors.ts'
import { type EntryBody, MAX_NEAREST, MAX_NEAREST_FIELDS, MAX_TRACES } from '#core/evidence/entry.ts'
import type { GrantedJob } from '#core/release/decide.ts'
import { hasPurpose } from '#core/release/permissionRules.ts'
import type { Denial } from '#core/release/refusal.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import { headerDigest } from '#core/sealed/header.ts'
import type { AuthenticRequest } from './authenticate.ts'
import type { Boot } from './boot.ts'
import type { ChargedJob } from './charging.ts'
import type { Decision } from './decision.ts'

/** At this many, reasons of maximum length still fit one entry, with the digests of 256 headers. */
export const MAX_REASONS = 32

/** A release that `release.decided` records, at this index of the log. It has no answer yet. */
export type DecidedRelease = {
  readonly kind: 'decided'
  readonly releaseId: string
  readonly traceparent: string
  readonly index: number
  readonly granted: GrantedJob
}
export type RecordedDecision = DecidedRelease | { readonly kind: 'refused'; readonly denial: Denial }
type RefusedJobs = Extract<EntryBody, { event: 'release.refused' }>

type RecordingBoot = Pick<Boot, 'evidence' | 'metrics'>

/**
 * Appends the decision, or those on the jobs in order: all of them or none, each with room for its end. Until
 * they are stored, no answer leaves. If the request is refused as a whole, stores that and returns its denial.
 */
export async function recordDecision(
  authentic: AuthenticRequest,
  decision: Decision,
  { evidence, metrics }: RecordingBoot,
  deadline: AbortSignal,
): Promise<Denial | readonly RecordedDecision[]> {
  const { jobs } = authentic.request
  if (decision.kind === 'refused') {
    const denialId = randomId()
    evidence.append(refusedWorker(authentic, denialId, decision))
    await evidence.flush(deadline)
    return { code: firstOf(decision.reasons), denialId }
  }
  const accepted = evidence.nextIndex()
  const entries: EntryBody[] = [acceptedWorker(authentic, decision.verdict)]
  const refused = new Map<string, RefusedJobs>()
  const recorded = jobs.map((job, i): RecordedDecision => {
    const decided = decision.jobs[i]
    if (decided === undefined) throw new CodedError('internal.fault', 'a job has no decision')
    if (decided.kind === 'granted') {
      const entry = decidedRelease(job, decided, accepted)
      const index = accepted + entries.push(entry) - 1
      const { releaseId, traceparent } = entry
      return { kind: 'decided', releaseId, traceparent, index, granted: decided }
    }
    // The same reasons are said once.
    const reasons = decided.reasons.slice(0, MAX_REASONS).map(shortened)
    const same = JSON.stringify(reasons)
    const entry = refused.get(same) ?? refusedJobs(reasons, decided.quota ?? null, accepted)
    if (!refused.has(same)) entries.push(entry)
    refused.set(same, entry)
    entry.headerDigests.push(...headerDigestsOf(job))
    addTrace(entry.traceparents, job)
    return { kind: 'refused', denial: { code: firstOf(reasons), denialId: entry.denialId } }
  })
  evidence.appendAll(entries)
  for (const record of recorded)
    if (record.kind === 'refused') metrics.answered('refused', record.denial.code)
  return recorded
}

/** If the log cannot be written, no answer leaves, and each decided release ends here as failed. */
export async function storeDecisions(
  recorded: readonly RecordedDecision[],
  { evidence, metrics }: RecordingBoot,
  deadline: AbortSignal,
): Promise<SealedLog> {
  try {
    return await evidence.flush(deadline)
  } catch (error) {
    const code = codeOf(error)
    for (const decision of recorded) {
      if (decision.kind === 'refused') continue
      evidence.append({ event: 'release.failed', releaseId: decision.releaseId, code })
      metrics.answered('failed', code)
    }
    // The request does not wait any more, but the ends should be stored soon. Later flushes meet a failure.
    evidence.flush().catch(() => {})
    throw error
  }
}

function acceptedWorker(
  { request, asker, attestation, inForce }: AuthenticRequest,
  { reference, assurance }: AcceptedVerdict,
): EntryBody {
  return {
    event: 'worker.accepted',
    boot: request.runtimeData.boot,
    client: asker.client,
    purpose: asker.purpose,
    nonceDigest: toBase64url(sha256(request.nonce)),
    reference,
    assurance,
    policySeq: inForce.loaded.policy.seq,
    revocationSeq: inForce.revocation.seq,
    ...attestation,
  }
}

function refusedWorker(
  { request, asker, attestation, inForce }: AuthenticRequest,
  denialId: string,
  { reasons, distances }: Extract<Decision, { kind: 'refused' }>,
): EntryBody {
  return {
    event: 'worker.refused',
    denialId,
    boot: request.runtimeData.boot,
    client: asker.client,
    purpose: hasPurpose(inForce.loaded.policy, asker.purpose) ? asker.purpose : null,
    headerDigests: request.jobs.flatMap(headerDigestsOf),
    traceparents: tracesOf(request.jobs),
    reasons: reasons.slice(0, MAX_REASONS).map(shortened),
    nearest: distances.slice(0, MAX_NEAREST).map(({ reference, fields }) => ({
      reference,
      differences: fields.length,
      fields: [...new Set(fields)].slice(0, MAX_NEAREST_FIELDS).map((field) => cut(field, 80)),
    })),
    policySeq: inForce.loaded.policy.seq,
    revocationSeq: inForce.revocation.seq,
    ...attestation,
  }
}

function decidedRelease(
  job: ReleaseJob,
  { permission, dataset, disclosure, quota }: ChargedJob,
  accepted: number,
) {
  return {
    event: 'release.decided' as const,
    releaseId: randomId(),
    accepted,
    traceparent: job.traceparent,
    permission: permission.id,
    dataset: dataset.id,
    headerDigests: headerDigestsOf(job),
    disclosure,
    quota,
  }
}

function refusedJobs(reasons: Refusal[], quota: RefusedJobs['quota'], accepted: number): RefusedJobs {
  const none = { headerDigests: [], traceparents: [] }
  return { event: 'release.refused', denialId: randomId(), accepted, ...none, reasons, quota }
}

function tracesOf(jobs: readonly ReleaseJob[]): string[] {
  const traces: string[] = []
  for (const job of jobs) addTrace(traces, job)
  return traces
}

function addTrace(traces: string[], { traceparent }: ReleaseJob): void {
  if (traces.length < MAX_TRACES && !traces.includes(traceparent)) traces.push(traceparent)
}

function firstOf([first]: readonly Refusal[]): Refusal['code'] {
  if (first === undefined) throw new CodedError('internal.fault', 'a refusal has no reason')
  return first.code
}

function headerDigestsOf({ objects }: ReleaseJob): string[] {
  return objects.map(({ header }) => toBase64url(headerDigest(header)))
}

/** Within the limits of an evidence entry. */
function shortened({ code, field, expected, actual, remedy }: Refusal): Refusal {
  return {
    code,
    field: cut(field, 80),
    expected: cut(expected, 400),
    actual: cut(actual, 400),
    remedy: cut(remedy, 400),
  }
}

function cut(text: string, limit: number): string {
  return text.length > limit ? `${text.slice(0, limit - 3)}...` : text
}

function randomId(): string {
  return toHex(randomBytes(16))
}
