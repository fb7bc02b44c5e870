/**
 * POST /v1/releases. Up to `authenticate` a request costs nothing but time and is counted; from there on every answer
 * is a decision, and every decision is in the log before anyone hears of it.
 *
 * Crash argument. A key leaves the Vault only after `release.decided` is durable, and this process only after
 * `release.issued` is. A crash in between leaves a decision without an end, which an auditor sees, and the worker
 * without an answer: its nonce is spent, it asks again.
 */

import { randomBytes } from 'node:crypto'
import type { EvidenceLog, SealedLog } from '#adapters/evidence/log.ts'
import { type AcceptedVerdict, appraise } from '#core/appraisal/appraise.ts'
import { logOrigin } from '#core/boot/boot.ts'
import type { Registration } from '#core/boot/registration.ts'
import { sha256, toBase64url, toHex } from '#core/bytes.ts'
import { CodedError, codeOf, type ErrorCode, type Refusal } from '#core/errors.ts'
import { signCompact } from '#core/jws.ts'
import { decideJob, type Granted, type Refused } from '#core/release/decide.ts'
import { GrantFormat } from '#core/release/grant.ts'
import { grantDigest, grantExpiry, grantOf } from '#core/release/issue.ts'
import { refusalBody } from '#core/release/refusal.ts'
import type { ReleaseJob, ReleaseResponse } from '#core/release/request.ts'
import { headerDigest } from '#core/sealed/header.ts'
import type { UnixSeconds } from '#core/time.ts'
import { type AuthenticRequest, authenticate, type Gate } from './authenticate.ts'
import type { Custody } from './custody.ts'
import type { CertifiedGrantKey, GrantKeys } from './grantKey.ts'
import type { SpendNonce } from './nonceMarkers.ts'
import type { InForce } from './policyStore.ts'
import type { Registry } from './registry.ts'

export type ReleaseDesk = Gate & {
  readonly spendNonce: SpendNonce
  readonly registry: Registry
  readonly custody: Custody
  readonly grantKeys: GrantKeys
  readonly evidence: EvidenceLog
  readonly now: () => UnixSeconds
  /** A decided release that came to nothing; its code is in the evidence, its cause belongs into the program's log. */
  readonly failed: (releaseId: string, error: unknown) => void
  /** For metrics: one call a job. */
  readonly answered: (outcome: 'issued' | 'failed' | 'refused', code: ErrorCode | '') => void
}

/** So many of the longest fit an entry. */
const MAX_REASONS = 40

type Answer = ReleaseResponse['answers'][number]
type Asked = AuthenticRequest & { readonly inForce: InForce }
type Decided = { readonly releaseId: string; readonly index: number; readonly decision: Granted }

/** Throws the code of a request that fails as a whole; a refused job is an answer. */
export async function answerRelease(body: Uint8Array, desk: ReleaseDesk): Promise<ReleaseResponse> {
  const now = desk.now()
  const grantKey = desk.grantKeys.current()
  const asked = authenticate(body, desk, now)
  const decisions = await decideAll(asked, desk, now)
  const recorded = asked.request.jobs.map((job, index) => record(asked, job, decisions[index], desk))
  const sealed = await sealDecisions(recorded, desk)
  const answers = await Promise.all(
    recorded.map((entry) =>
      'releaseId' in entry ? issue(asked, entry, sealed, grantKey, desk, now) : entry,
    ),
  )
  await desk.evidence.flush()
  return {
    verifierKeys: asked.inForce.keys.signed,
    grantKey: grantKey.certificate,
    answers,
  }
}

/** Where the log cannot be written, nothing goes out, and what was decided ends here. */
async function sealDecisions(recorded: readonly (Decided | Answer)[], desk: ReleaseDesk): Promise<SealedLog> {
  try {
    return await desk.evidence.flush()
  } catch (error) {
    const code = codeOf(error)
    for (const entry of recorded) {
      if (!('releaseId' in entry)) continue
      desk.evidence.append({ event: 'release.failed', releaseId: entry.releaseId, code })
      desk.answered('failed', code)
    }
    throw error
  }
}

/** Single use, appraisal, a decision for each job, and registration of a boot that is granted anything. */
async function decideAll(
  asked: Asked,
  desk: ReleaseDesk,
  now: UnixSeconds,
): Promise<readonly (Granted | Refused)[]> {
  const { request, asker, inForce } = asked
  const refuseAll = (reasons: readonly Refusal[]) =>
    request.jobs.map((): Refused => ({ kind: 'refused', reasons }))
  const spent = await refusalOf('nonce', 'unused', () => desk.spendNonce(request.nonce))
  if (spent !== undefined) return refuseAll([spent])

  const { policy } = inForce.loaded
  const { revocation } = inForce
  const { boot, trust } = request.runtimeData
  const verdict = appraise(asked.verified, policy, { trust, at: now, revocation })
  const rules = { policy, revocation, now }
  const decisions = request.jobs.map((job) => decideJob(job, { asker, boot, verdict }, rules))
  if (verdict.kind === 'refused' || !decisions.some(({ kind }) => kind === 'granted')) return decisions

  const registration = registrationOf(asked, verdict, now)
  const unregistered = await refusalOf('boot', 'new, or registered as it is', async () => {
    const { attestation } = registration
    if ((await desk.registry.register(registration)) && attestation !== null)
      desk.evidence.append({
        event: 'boot.registered',
        boot: registration.boot,
        reference: attestation.reference,
        assurance: attestation.assurance,
        ...asked.attestation,
      })
  })
  if (unregistered === undefined) return decisions
  return decisions.map((decision) =>
    decision.kind === 'granted' ? { kind: 'refused', reasons: [unregistered] } : decision,
  )
}

function registrationOf(
  { request: { runtimeData }, asker, attestation }: Asked,
  verdict: AcceptedVerdict,
  time: UnixSeconds,
): Registration {
  return {
    v: 1,
    role: 'worker',
    boot: runtimeData.boot,
    origin: logOrigin('worker', runtimeData.boot),
    key: runtimeData.evidenceKey,
    attestation: {
      ...attestation,
      reference: verdict.reference,
      assurance: verdict.assurance,
      client: asker.client,
    },
    simulation: verdict.simulated,
    time,
  }
}

/** Appends the decision; nothing has been said to anyone yet. */
function record(
  asked: Asked,
  job: ReleaseJob,
  decision: Granted | Refused | undefined,
  desk: ReleaseDesk,
): Decided | Answer {
  const { request, asker, attestation, inForce } = asked
  const { boot } = request.runtimeData
  const headerDigests = job.objects.map(({ header }) => toBase64url(headerDigest(header)))
  if (decision?.kind === 'granted') {
    const releaseId = randomId()
    const index = desk.evidence.append({
      event: 'release.decided',
      releaseId,
      boot,
      client: asker.client,
      purpose: asker.purpose,
      permission: decision.permission.id,
      dataset: decision.dataset.id,
      headerDigests,
      nonceDigest: toBase64url(sha256(request.nonce)),
      reference: decision.verdict.reference,
      assurance: decision.verdict.assurance,
      disclosure: decision.disclosure,
      policySeq: inForce.loaded.policy.seq,
      revocationSeq: inForce.revocation.seq,
      ...attestation,
    })
    return { releaseId, index, decision }
  }
  const reasons = [...(decision?.reasons ?? [])]
  const [first] = reasons
  if (first === undefined) throw new CodedError('internal.fault', 'a job was refused without a reason')
  const denialId = randomId()
  desk.evidence.append({
    event: 'release.refused',
    denialId,
    boot,
    client: asker.client,
    headerDigests,
    reasons: reasons.slice(0, MAX_REASONS).map(inEntry),
    ...attestation,
  })
  desk.answered('refused', first.code)
  return { refusal: refusalBody(first.code, denialId) }
}

/** The keys from the Vault, wrapped; the grant over them, signed. Its end, good or bad, is in the log. */
async function issue(
  { request, asker, inForce }: Asked,
  { releaseId, index, decision }: Decided,
  { checkpoint }: SealedLog,
  grantKey: CertifiedGrantKey,
  desk: ReleaseDesk,
  now: UnixSeconds,
): Promise<Answer> {
  const { runtimeData, nonce } = request
  const { policy } = inForce.loaded
  try {
    const to = { wrapKey: runtimeData.wrapKey, nonce }
    const keys = await Promise.all(
      decision.objects.map((object) => desk.custody.wrapFor(object, decision.dataset, to)),
    )
    const grant = grantOf(
      decision,
      asker,
      { policy, now },
      {
        releaseId,
        nonce: runtimeData.nonce,
        boot: runtimeData.boot,
        wrapKey: request.wrapKey,
        expiry: grantExpiry(
          now,
          decision.permission.notAfter,
          policy.expiresAt,
          // The last second of a release is inside its window, of a grant outside.
          ...policy.referenceValues
            .filter(({ id }) => id === decision.verdict.reference)
            .map(({ notAfter }) => notAfter + 1),
          grantKey.payload.exp,
          inForce.keys.verifierKeys.exp,
        ),
        revocationSeq: inForce.revocation.seq,
        keys,
        log: { boot: desk.evidence.boot, checkpoint, index },
      },
    )
    const signed = await signCompact(GrantFormat, grant, grantKey.signer)
    desk.evidence.append({ event: 'release.issued', releaseId, grantDigest: grantDigest(signed) })
    desk.answered('issued', '')
    return { grant: signed, keys }
  } catch (error) {
    const code = codeOf(error)
    desk.failed(releaseId, error)
    desk.evidence.append({ event: 'release.failed', releaseId, code })
    desk.answered('failed', code)
    return { refusal: refusalBody(code, releaseId) }
  }
}

/** What a step throws, as a reason; undefined where it succeeds. A fault without a code is none. */
async function refusalOf(
  field: string,
  expected: string,
  step: () => Promise<void>,
): Promise<Refusal | undefined> {
  try {
    await step()
    return undefined
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    return {
      code: error.code,
      field,
      expected,
      actual: error.message,
      remedy: 'ask again with a new challenge',
    }
  }
}

/** Within the bounds of an evidence entry. */
function inEntry({ code, field, expected, actual, remedy }: Refusal): Refusal {
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
