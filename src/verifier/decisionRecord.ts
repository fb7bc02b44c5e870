/**
 * The evidence of decisions, stored before the Vault is asked for a key: one entry per job, or one for a
 * request that is refused as a whole or asks for nothing.
 */
import { randomBytes } from 'node:crypto'
import type { SealedLog } from '#adapters/evidence/log.ts'
import type { AcceptedVerdict } from '#core/appraisal/appraise.ts'
import { sha256, toBase64url, toHex } from '#core/bytes.ts'
import { CodedError, codeOf, type Refusal } from '#core/errors.ts'
import type { GrantedJob, RefusedJob } from '#core/release/decide.ts'
import { RequestRefused, refusalBody } from '#core/release/refusal.ts'
import type { ReleaseAnswer, ReleaseJob } from '#core/release/request.ts'
import { headerDigest } from '#core/sealed/header.ts'
import type { AuthenticRequest } from './authenticate.ts'
import type { Boot } from './boot.ts'
import type { Decision } from './decision.ts'

/** At this many, reasons of maximum length still fit one entry. */
const MAX_REASONS = 40

/** A release that `release.decided` records, at this index of the log. It has no answer yet. */
export type DecidedRelease = {
  readonly kind: 'decided'
  readonly releaseId: string
  readonly index: number
  readonly granted: GrantedJob
}
export type RecordedDecision = DecidedRelease | { readonly kind: 'refused'; readonly answer: ReleaseAnswer }

type RecordingBoot = Pick<Boot, 'evidence' | 'metrics'>

/**
 * Appends the decision, or those on the jobs in order: all of them or none, each with room for its end. Until
 * they are stored, no answer leaves. If the request is refused as a whole, stores that and throws
 * `RequestRefused`.
 */
export async function recordDecision(
  authentic: AuthenticRequest,
  decision: Decision,
  { evidence, metrics }: RecordingBoot,
  deadline: AbortSignal,
): Promise<readonly RecordedDecision[]> {
  const { jobs } = authentic.request
  if (decision.kind === 'refused') {
    const { entry, code } = refusalOf(authentic, jobs, decision)
    evidence.append(entry)
    await evidence.flush(deadline)
    throw new RequestRefused(refusalBody(code, entry.denialId))
  }
  if (jobs.length === 0) {
    evidence.append(preflightOf(authentic, decision.verdict))
    return []
  }
  const records = jobs.map((job, index) => {
    const decided = decision.jobs[index]
    if (decided === undefined) throw new CodedError('internal.fault', 'a job has no decision')
    return decided.kind === 'granted'
      ? releaseOf(authentic, job, decided)
      : refusalOf(authentic, [job], decided)
  })
  const first = evidence.appendAll(records.map(({ entry }) => entry))
  return records.map((record, i) => {
    if (record.kind === 'decided') {
      const { kind, entry, granted } = record
      return { kind, releaseId: entry.releaseId, index: first + i, granted }
    }
    const { kind, entry, code } = record
    metrics.answered('refused', code)
    return { kind, answer: { refusal: refusalBody(code, entry.denialId) } }
  })
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

function preflightOf(
  { request, asker, attestation, inForce }: AuthenticRequest,
  { reference, assurance }: AcceptedVerdict,
) {
  return {
    event: 'worker.accepted' as const,
    boot: request.runtimeData.boot,
    client: asker.client,
    purpose: asker.purpose,
    reference,
    assurance,
    policySeq: inForce.loaded.policy.seq,
    revocationSeq: inForce.revocation.seq,
    ...attestation,
  }
}

function releaseOf(
  { request, asker, attestation, inForce }: AuthenticRequest,
  job: ReleaseJob,
  granted: GrantedJob,
) {
  const entry = {
    event: 'release.decided' as const,
    releaseId: randomId(),
    boot: request.runtimeData.boot,
    client: asker.client,
    purpose: asker.purpose,
    permission: granted.permission.id,
    dataset: granted.dataset.id,
    headerDigests: headerDigestsOf(job),
    nonceDigest: toBase64url(sha256(request.nonce)),
    reference: granted.verdict.reference,
    assurance: granted.verdict.assurance,
    disclosure: granted.disclosure,
    policySeq: inForce.loaded.policy.seq,
    revocationSeq: inForce.revocation.seq,
    ...attestation,
  }
  return { kind: 'decided' as const, entry, granted }
}

function refusalOf(
  { request, asker, attestation }: AuthenticRequest,
  jobs: readonly ReleaseJob[],
  { reasons }: Pick<RefusedJob, 'reasons'>,
) {
  const [first] = reasons
  if (first === undefined) throw new CodedError('internal.fault', 'a refusal has no reason')
  const entry = {
    event: 'release.refused' as const,
    denialId: randomId(),
    boot: request.runtimeData.boot,
    client: asker.client,
    headerDigests: jobs.flatMap(headerDigestsOf),
    reasons: reasons.slice(0, MAX_REASONS).map(shortened),
    ...attestation,
  }
  return { kind: 'refused' as const, entry, code: first.code }
}

function headerDigestsOf({ objects }: ReleaseJob): string[] {
  return objects.map(({ header }) => toBase64url(headerDigest(header)))
}

/** Within the limits of an evidence entry. */
function shortened({ code, field, expected, actual, remedy }: Refusal): Refusal {
  const cut = (text: string, limit: number) => (text.length > limit ? `${text.slice(0, limit - 3)}...` : text)
  return {
    code,
    field: cut(field, 80),
    expected: cut(expected, 400),
    actual: cut(actual, 400),
    remedy: cut(remedy, 400),
  }
}

function randomId(): string {
  return toHex(randomBytes(16))
}
