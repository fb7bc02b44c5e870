/** The entries of a decision (core/evidence/entry.ts), from what was decided. */
import { randomBytes } from 'node:crypto'
import type { AcceptedVerdict } from '#core/appraisal/appraise.ts'
import { sha256, toBase64url, toHex } from '#core/bytes.ts'
import { CodedError, type Refusal } from '#core/errors.ts'
import {
  type EntryBody,
  MAX_DATASETS,
  MAX_NEAREST,
  MAX_NEAREST_FIELDS,
  MAX_TRACES,
} from '#core/evidence/entry.ts'
import { peekCompact } from '#core/jws.ts'
import type { Policy } from '#core/policy/policy.ts'
import { grantedTerms } from '#core/policy/terms.ts'
import { hasPurpose } from '#core/release/permissionRules.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import { headerDigest, SealHeaderFormat } from '#core/sealed/header.ts'
import type { AuthenticRequest } from './authenticate.ts'
import type { ChargedJob } from './charging.ts'
import type { Decision } from './decision.ts'

/** At this many, reasons of maximum length still fit one entry, with the digests of 256 headers. */
export const MAX_REASONS = 32

export type RefusedJobs = Extract<EntryBody, { event: 'release.refused' }>

export function acceptedWorker(
  authentic: AuthenticRequest,
  requestDigest: string,
  { reference, assurance }: AcceptedVerdict,
): EntryBody {
  const { request, asker, inForce } = authentic
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
    ...aboutRequest(authentic, requestDigest),
  }
}

/** What both entries on a worker say of its request. */
function aboutRequest(
  { attestation, token, asker: { scopesDigest } }: AuthenticRequest,
  requestDigest: string,
) {
  return { ...attestation, requestDigest, ...token, scopesDigest }
}

export function refusedWorker(
  authentic: AuthenticRequest,
  requestDigest: string,
  denialId: string,
  { reasons, distances }: Extract<Decision, { kind: 'refused' }>,
): EntryBody {
  const { request, asker, inForce } = authentic
  return {
    event: 'worker.refused',
    denialId,
    boot: request.runtimeData.boot,
    client: asker.client,
    purpose: hasPurpose(inForce.loaded.policy, asker.purpose) ? asker.purpose : null,
    datasets: datasetsOf(request.jobs, inForce.loaded.policy).slice(0, MAX_DATASETS),
    headerDigests: request.jobs.flatMap(headerDigestsOf),
    traceparents: tracesOf(request.jobs),
    reasons: told(reasons),
    nearest: distances.slice(0, MAX_NEAREST).map(({ reference, fields }) => ({
      reference,
      differences: fields.length,
      fields: [...new Set(fields)].slice(0, MAX_NEAREST_FIELDS).map((field) => cut(field, 80)),
    })),
    policySeq: inForce.loaded.policy.seq,
    revocationSeq: inForce.revocation.seq,
    ...aboutRequest(authentic, requestDigest),
  }
}

/** Of the jobs' first objects, each once: those that the policy has, since no header is verified yet. */
export function datasetsOf(jobs: readonly ReleaseJob[], policy: Policy): string[] {
  const named = jobs.flatMap(({ objects: [first] }) => {
    try {
      return first === undefined
        ? []
        : peekCompact(SealHeaderFormat, first.header, 'object.malformed').payload
    } catch (error) {
      if (error instanceof CodedError) return []
      throw error
    }
  })
  const has = ({ tenant, dataset }: { readonly tenant: string; readonly dataset: string }) =>
    tenant === policy.tenant && policy.datasets.some(({ id }) => id === dataset)
  return [...new Set(named.filter(has).map(({ dataset }) => dataset))]
}

export function decidedRelease(
  job: ReleaseJob,
  { permission, dataset, consent, disclosure, quota }: ChargedJob,
  accepted: number,
) {
  const { termsDigest, scopesDigest } = grantedTerms(permission)
  return {
    event: 'release.decided' as const,
    releaseId: randomId(),
    accepted,
    traceparent: job.traceparent,
    permission: permission.id,
    dataset: dataset.id,
    headerDigests: headerDigestsOf(job),
    edition: permission.edition,
    termsDigest,
    scopesDigest,
    consent: consent && { seq: consent.seq, digest: consent.digest },
    disclosure,
    quota,
  }
}

export function refusedJobs(
  reasons: Refusal[],
  { dataset, quota, accepted }: Pick<RefusedJobs, 'dataset' | 'quota' | 'accepted'>,
): RefusedJobs {
  const none = { headerDigests: [], traceparents: [] }
  return { event: 'release.refused', denialId: randomId(), accepted, dataset, ...none, reasons, quota }
}

function tracesOf(jobs: readonly ReleaseJob[]): string[] {
  const traces: string[] = []
  for (const job of jobs) addTrace(traces, job)
  return traces
}

export function addTrace(traces: string[], { traceparent }: ReleaseJob): void {
  if (traces.length < MAX_TRACES && !traces.includes(traceparent)) traces.push(traceparent)
}

export function firstOf([first]: readonly Refusal[]): Refusal['code'] {
  if (first === undefined) throw new CodedError('internal.fault', 'a refusal has no reason')
  return first.code
}

export function headerDigestsOf({ objects }: ReleaseJob): string[] {
  return objects.map(({ header }) => toBase64url(headerDigest(header)))
}

/** Within the limits of an evidence entry. */
export function told(reasons: readonly Refusal[]): Refusal[] {
  return reasons.slice(0, MAX_REASONS).map(shortened)
}

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

export function randomId(): string {
  return toHex(randomBytes(16))
}
