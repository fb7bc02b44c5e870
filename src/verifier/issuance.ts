/**
 * Issues decided releases: the wrapped keys from the Vault, and the signed grant over them. The grants of a
 * request are kept as one object, which is durable before any `release.issued` that names it.
 */
import { abandonable } from '#adapters/system/abandonable.ts'
import { errorFields } from '#adapters/system/log.ts'
import { codeOf } from '#core/errors.ts'
import { GrantsRecordFormat, recorded } from '#core/evidence/record.ts'
import { signCompact } from '#core/jws.ts'
import { type Grant, GrantFormat } from '#core/release/grant.ts'
import { endOfGrant, grantDigest, grantOf } from '#core/release/issue.ts'
import { type Denial, signRefusal } from '#core/release/refusal.ts'
import type { ReleaseAnswer } from '#core/release/request.ts'
import type { UnixSeconds } from '#core/time.ts'
import type { AuthenticRequest } from './authenticate.ts'
import type { Boot } from './boot.ts'
import type { DecidedRelease, RecordedDecision } from './decisionRecord.ts'
import type { CertifiedGrantKey } from './grantKeys.ts'
import { expectHolding } from './holding.ts'

type Issuance = {
  readonly authentic: AuthenticRequest
  /** A stored checkpoint over the entries of all decisions. */
  readonly checkpoint: string
  readonly grantKey: CertifiedGrantKey
  readonly now: UnixSeconds
}
type IssuingBoot = Pick<
  Boot,
  | 'custody'
  | 'governance'
  | 'evidence'
  | 'metrics'
  | 'log'
  | 'policyStore'
  | 'nonceKeys'
  | 'audience'
  | 'clock'
>

/** One answer per decision, in order. The ends of the releases are appended, and not stored yet. */
export async function issueAll(
  decisions: readonly RecordedDecision[],
  issuance: Issuance,
  boot: IssuingBoot,
  deadline: AbortSignal,
): Promise<ReleaseAnswer[]> {
  const ends = await Promise.all(
    decisions.map((decision, job) =>
      decision.kind === 'refused'
        ? refuse(decision.denial, job, issuance)
        : issue(decision, job, issuance, boot, deadline),
    ),
  )
  keepGrants(ends, issuance, boot)
  return ends.map((end) =>
    'refusal' in end
      ? { refusal: end.refusal }
      : { grant: end.grant, keys: end.keys, consentKeys: end.consentKeys },
  )
}

type Issued = Extract<ReleaseAnswer, { grant: string }> & { readonly releaseId: string }
type End = Issued | Extract<ReleaseAnswer, { refusal: string }>

function keepGrants(ends: readonly End[], { grantKey }: Issuance, { evidence, metrics }: IssuingBoot): void {
  const issued = ends.filter((end) => 'grant' in end)
  if (issued.length === 0) return
  const grants = issued.map(({ grant }) => grant)
  const kept = recorded('grants', GrantsRecordFormat.encode({ v: 1, grantKey: grantKey.certificate, grants }))
  evidence.appendAll(
    issued.map(({ releaseId, grant }) => ({
      event: 'release.issued',
      releaseId,
      grantDigest: grantDigest(grant),
      grantsDigest: kept.digest,
    })),
    [kept],
  )
  for (const _ of issued) metrics.answered('issued', '')
}

async function refuse(
  denial: Denial,
  job: number,
  { authentic: { request }, grantKey }: Issuance,
): Promise<Extract<ReleaseAnswer, { refusal: string }>> {
  return { refusal: await signRefusal(denial, { nonce: request.nonce, job }, grantKey.signer) }
}

/**
 * A failure refuses this job only, and is appended. The decision must hold at each call of the Vault and when
 * the grant is signed.
 */
async function issue(
  decided: DecidedRelease,
  job: number,
  issuance: Issuance,
  boot: IssuingBoot,
  deadline: AbortSignal,
): Promise<End> {
  const { custody, evidence, metrics, log } = boot
  const { releaseId, granted } = decided
  const { authentic } = issuance
  const { runtimeData, nonce } = authentic.request
  const expiry = expiryOf(decided, issuance)
  const expectRelease = () => {
    deadline.throwIfAborted()
    expectHolding(authentic, expiry, boot)
  }
  try {
    expectRelease()
    const recipient = { wrapKey: runtimeData.wrapKey, nonce }
    const asking = { expectRelease, signal: deadline }
    const wrapped = granted.objects.map((object) =>
      custody.wrapFor(object, granted.dataset, recipient, asking),
    )
    const keys = await abandonable(Promise.all(wrapped), deadline)
    expectRelease()
    const lists = granted.consent
    const consentKeys = lists && (await abandonable(custody.wrapLists(lists, recipient), deadline))
    const consent = consentKeys === null ? null : { place: boot.governance, keys: consentKeys }
    expectRelease()
    const grant = newGrant(decided, issuance, {
      keys,
      consent,
      expiry,
      verifierBoot: evidence.boot,
    })
    const signed = await signCompact(GrantFormat, grant, issuance.grantKey.signer)
    return { releaseId, grant: signed, keys, consentKeys }
  } catch (error) {
    const code = codeOf(error)
    // The evidence has the code; the cause goes to the program's log.
    log.error('release failed', { releaseId, traceparent: decided.traceparent, ...errorFields(error) })
    evidence.append({ event: 'release.failed', releaseId, code })
    metrics.answered('failed', code)
    return await refuse({ code, denialId: releaseId }, job, issuance)
  }
}

function expiryOf({ granted }: DecidedRelease, { authentic, grantKey, now }: Issuance): UnixSeconds {
  const { loaded, keys } = authentic.inForce
  const ends = { grantKey: grantKey.payload.exp, verifierKeys: keys.verifierKeys.exp }
  return endOfGrant(granted, loaded.policy, ends, now)
}

function newGrant(
  { releaseId, index, granted }: DecidedRelease,
  { authentic: { request, asker, inForce }, checkpoint, now }: Issuance,
  {
    keys,
    consent,
    expiry,
    verifierBoot,
  }: Pick<Parameters<typeof grantOf>[1], 'keys' | 'consent' | 'expiry'> & { readonly verifierBoot: string },
): Grant {
  const { runtimeData, wrapKey } = request
  return grantOf(granted, {
    asker,
    policy: inForce.loaded.policy,
    now,
    releaseId,
    nonce: runtimeData.nonce,
    boot: runtimeData.boot,
    wrapKey,
    expiry,
    revocationSeq: inForce.revocation.seq,
    keys,
    consent,
    log: { boot: verifierBoot, checkpoint, index },
  })
}
