/**
 * Permits: each intent under a cosigned checkpoint is decided by itself, so that one bad intent stops no
 * other. The commit is stored before the permit leaves. Revocations are asked for once more after it.
 */
import { randomBytes } from 'node:crypto'
import { errorFields } from '#adapters/system/log.ts'
import { toHex } from '#core/bytes.ts'
import { CodedError, codeOf, under } from '#core/errors.ts'
import { EntryFormat } from '#core/evidence/entry.ts'
import { PermitFormat, signPermitRefusal } from '#core/evidence/witness/permit.ts'
import { type Intent, type PermitCase, permitRefusal } from '#core/evidence/witness/permitRules.ts'
import type { PermitAnswer, SubmittedIntent } from '#core/evidence/witness/submission.ts'
import { signCompact, verifyCompact } from '#core/jws.ts'
import { type Grant, GrantFormat, GrantKeyFormat } from '#core/release/grant.ts'
import type { Boot } from './boot.ts'
import type { CertifiedGrantKey } from './grantKeys.ts'
import type { CosignedLog } from './witnessedLogs.ts'

export type PermittingBoot = Pick<
  Boot,
  'grantCa' | 'commits' | 'policyStore' | 'evidence' | 'metrics' | 'clock' | 'log'
>

/** One answer per intent, in order. `boot` is the log's. */
export async function decidePermits(
  intents: readonly SubmittedIntent[],
  boot: string,
  cosigned: CosignedLog,
  grantKey: CertifiedGrantKey,
  own: PermittingBoot,
  deadline: AbortSignal,
): Promise<PermitAnswer[]> {
  const answers = await Promise.all(
    intents.map((submitted) => decideOne(submitted, boot, cosigned, grantKey, own, deadline)),
  )
  // No refusal leaves that is not in the log.
  if (answers.some((answer) => 'refusal' in answer)) await own.evidence.flush(deadline)
  return answers
}

async function decideOne(
  submitted: SubmittedIntent,
  boot: string,
  cosigned: CosignedLog,
  grantKey: CertifiedGrantKey,
  own: PermittingBoot,
  deadline: AbortSignal,
): Promise<PermitAnswer> {
  const { evidence, metrics, clock, log } = own
  const place = { boot, intentIndex: submitted.index, size: cosigned.size }
  try {
    const intent = await readIntent(submitted, cosigned, deadline)
    const grant = openGrant(submitted, own)
    const { releaseId, resultId, attempt, contentDigest, outputDigest } = expectPermitted(
      intent,
      grant,
      boot,
      own,
    )
    const consent = grant.consent && { seq: grant.consent.seq, digest: grant.consent.digest }
    await own.commits.win(resultId, { v: 1, outputDigest, consent, releaseId }, deadline)
    deadline.throwIfAborted()
    expectPermitted(intent, grant, boot, own)
    const permit = {
      v: 1,
      resultId,
      attempt,
      contentDigest,
      outputDigest,
      ...place,
      iat: clock.now(),
    } as const
    const signed = await signCompact(PermitFormat, permit, grantKey.signer)
    metrics.permitted('permitted', '')
    return { permit: signed }
  } catch (error) {
    deadline.throwIfAborted()
    const code = codeOf(error)
    const denialId = toHex(randomBytes(16))
    log.warn('permit refused', { boot, index: submitted.index, denialId, ...errorFields(error) })
    evidence.append({ event: 'permit.refused', denialId, boot, index: submitted.index, code })
    metrics.permitted('refused', code)
    return { refusal: await signPermitRefusal({ code, denialId }, place, grantKey.signer) }
  }
}

async function readIntent(
  { index }: SubmittedIntent,
  { size, entryAt }: CosignedLog,
  deadline: AbortSignal,
): Promise<Intent | undefined> {
  if (index >= size) return undefined
  const bytes = await entryAt(index, deadline)
  const entry = under('intent.mismatched', () => EntryFormat.decode(bytes))
  return entry.event === 'result.intent' ? entry : undefined
}

/** Throws `grant.invalid` unless a grant key of this grant CA signed it while it was in force. */
function openGrant({ grant, grantKey }: SubmittedIntent, { grantCa }: PermittingBoot): Grant {
  const { payload: key } = verifyCompact(GrantKeyFormat, grantKey, [grantCa], 'grant.invalid')
  const { payload } = verifyCompact(GrantFormat, grant, [key.jwk], 'grant.invalid')
  if (!(key.nbf <= payload.iat && payload.iat < key.exp))
    throw new CodedError('grant.invalid', 'the grant key was not in force when it signed the grant')
  return payload
}

/** Throws the code of what stands against the intent, by what is in force now. */
function expectPermitted(
  intent: Intent | undefined,
  grant: Grant,
  boot: string,
  { policyStore, clock }: PermittingBoot,
): Intent {
  const { revocation: revoked } = policyStore.inForce()
  const request: PermitCase = { grant, intent, boot, revoked, now: clock.now() }
  const refusal = permitRefusal(request)
  if (refusal !== undefined)
    throw new CodedError(refusal.code, `${refusal.field} is ${refusal.actual}, expected ${refusal.expected}`)
  if (intent === undefined) throw new CodedError('intent.mismatched', 'the entry is no result.intent')
  return intent
}
