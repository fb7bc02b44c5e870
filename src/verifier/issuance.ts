/** Issues decided releases: the wrapped keys from the Vault, and the signed grant over them. */
import { abandonable } from '#adapters/system/abandonable.ts'
import { errorFields } from '#adapters/system/log.ts'
import { codeOf } from '#core/errors.ts'
import { signCompact } from '#core/jws.ts'
import { type Grant, GrantFormat } from '#core/release/grant.ts'
import { grantDigest, grantExpiry, grantOf } from '#core/release/issue.ts'
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
  'custody' | 'evidence' | 'metrics' | 'log' | 'policyStore' | 'nonceKeys' | 'audience' | 'clock'
>

/** One answer per decision, in order. */
export async function issueAll(
  recorded: readonly RecordedDecision[],
  issuance: Issuance,
  boot: IssuingBoot,
  deadline: AbortSignal,
): Promise<ReleaseAnswer[]> {
  return await Promise.all(
    recorded.map((decision, job) =>
      decision.kind === 'refused'
        ? refuse(decision.denial, job, issuance)
        : issue(decision, job, issuance, boot, deadline),
    ),
  )
}

async function refuse(
  denial: Denial,
  job: number,
  { authentic: { request }, grantKey }: Issuance,
): Promise<ReleaseAnswer> {
  return { refusal: await signRefusal(denial, { nonce: request.nonce, job }, grantKey.signer) }
}

/**
 * Appends how the release ends: issued or failed. A failure refuses this job only. The decision must hold at
 * each call of the Vault and when the grant is signed.
 */
async function issue(
  decided: DecidedRelease,
  job: number,
  issuance: Issuance,
  boot: IssuingBoot,
  deadline: AbortSignal,
): Promise<ReleaseAnswer> {
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
    const grant = newGrant(decided, issuance, { keys, expiry, verifierBoot: evidence.boot })
    const signed = await signCompact(GrantFormat, grant, issuance.grantKey.signer)
    evidence.append({ event: 'release.issued', releaseId, grantDigest: grantDigest(signed) })
    metrics.answered('issued', '')
    return { grant: signed, keys }
  } catch (error) {
    const code = codeOf(error)
    // The evidence has the code; the cause goes to the program's log.
    log.error('release failed', { releaseId, traceparent: decided.traceparent, ...errorFields(error) })
    evidence.append({ event: 'release.failed', releaseId, code })
    metrics.answered('failed', code)
    return await refuse({ code, denialId: releaseId }, job, issuance)
  }
}

/** The end of the grant, which is also the last moment to give it. */
function expiryOf({ granted }: DecidedRelease, { authentic, grantKey, now }: Issuance): UnixSeconds {
  const { loaded, keys } = authentic.inForce
  return grantExpiry(
    now,
    granted.permission.notAfter,
    loaded.policy.expiresAt,
    // Reference values include their last second; a grant excludes it.
    ...loaded.policy.referenceValues
      .filter(({ id }) => id === granted.verdict.reference)
      .map(({ notAfter }) => notAfter + 1),
    grantKey.payload.exp,
    keys.verifierKeys.exp,
  )
}

function newGrant(
  { releaseId, index, granted }: DecidedRelease,
  { authentic: { request, asker, inForce }, checkpoint, now }: Issuance,
  {
    keys,
    expiry,
    verifierBoot,
  }: { readonly keys: readonly string[]; readonly expiry: UnixSeconds; readonly verifierBoot: string },
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
    log: { boot: verifierBoot, checkpoint, index },
  })
}
