/**
 * Decides an authentic request: as a whole by nonce, appraisal, client and boot, then job by job. So nothing
 * about one object refuses another, and nothing about the worker is said once a job.
 */
import { type AcceptedVerdict, appraise } from '#core/appraisal/appraise.ts'
import { logOrigin } from '#core/boot/boot.ts'
import type { Registration } from '#core/boot/registration.ts'
import { CodedError, type Refusal } from '#core/errors.ts'
import { decideJobs } from '#core/release/decide.ts'
import { decideRequester, type RefusedRequester } from '#core/release/requester.ts'
import type { UnixSeconds } from '#core/time.ts'
import type { AuthenticRequest } from './authenticate.ts'
import type { Boot } from './boot.ts'
import { type ChargedJob, chargeJobs, type UnchargedJob } from './charging.ts'

type RegisteringBoot = Pick<Boot, 'registrations' | 'evidence' | 'announce'>

export type Decision =
  /** The request as a whole. */
  | RefusedRequester
  /** One decision per job, in order; none for a preflight. */
  | {
      readonly kind: 'decided'
      readonly verdict: AcceptedVerdict
      readonly jobs: readonly (ChargedJob | UnchargedJob)[]
    }

/**
 * A worker's boot is registered when it is first accepted, so every worker that joins the group has a log that
 * counts: also the one that only sets aside what others died of.
 */
export async function decideRequest(
  authentic: AuthenticRequest,
  boot: Pick<Boot, 'spendNonce' | 'quotas'> & RegisteringBoot,
  now: UnixSeconds,
  deadline: AbortSignal,
): Promise<Decision> {
  const { request, asker, verified, inForce } = authentic
  const spent = await refusalOf('nonce', 'unused', () => boot.spendNonce(request.nonce, deadline))
  if (spent !== undefined) return { kind: 'refused', reasons: [spent], distances: [] }

  const { policy } = inForce.loaded
  const { revocation, consent } = inForce
  const { boot: id, trust } = request.runtimeData
  const rules = { policy, revocation, consent, now }
  const requester = decideRequester(
    { asker, boot: id, verdict: appraise(verified, policy, { trust, at: now, revocation }) },
    rules,
  )
  if (requester.kind === 'refused') return requester

  const { verdict } = requester
  const unregistered = await refusalOf('boot', 'new, or registered as it is', () =>
    registerBoots(authentic, verdict, boot, now, deadline),
  )
  if (unregistered !== undefined) return { kind: 'refused', reasons: [unregistered], distances: [] }
  const decided = decideJobs(request.jobs, requester, rules)
  const jobs = await chargeJobs(decided, policy.tenant, boot.quotas, now)
  return { kind: 'decided', verdict, jobs }
}

/**
 * This Verifier's, so that its unended releases can be found, and the worker's. After the deadline none
 * begins. One that has begun goes on, since its entry must follow it.
 */
async function registerBoots(
  { request: { runtimeData }, asker, attestation }: AuthenticRequest,
  { reference, assurance, simulated }: AcceptedVerdict,
  { announce, registrations, evidence }: RegisteringBoot,
  time: UnixSeconds,
  deadline: AbortSignal,
): Promise<void> {
  await announce()
  deadline.throwIfAborted()
  const { boot, evidenceKey } = runtimeData
  const registration: Registration = {
    v: 1,
    role: 'worker',
    boot,
    origin: logOrigin('worker', boot),
    key: evidenceKey,
    attestation: { ...attestation, reference, assurance, client: asker.client },
    simulation: simulated,
    time,
  }
  await registrations.register(registration, (stored) => {
    if (stored.attestation === null) return
    const { client: _client, ...rest } = stored.attestation
    evidence.append({ event: 'boot.registered', boot, ...rest })
  })
}

/** The error of a step as a reason; undefined if it succeeds. A fault without a code stays an exception. */
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
