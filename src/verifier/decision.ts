/** Decides the jobs of an authentic request: nonce, appraisal, permission, registration of the boot. */
import { type AcceptedVerdict, appraise } from '#core/appraisal/appraise.ts'
import { logOrigin } from '#core/boot/boot.ts'
import type { Registration } from '#core/boot/registration.ts'
import { CodedError, type Refusal } from '#core/errors.ts'
import { decideJob, type GrantedJob, type RefusedJob } from '#core/release/decide.ts'
import type { UnixSeconds } from '#core/time.ts'
import type { AuthenticRequest } from './authenticate.ts'
import type { Boot } from './boot.ts'

type RegisteringBoot = Pick<Boot, 'registrations' | 'evidence'>

/** One decision per job, in order. A worker's boot is registered when it is first granted anything. */
export async function decideJobs(
  authentic: AuthenticRequest,
  boot: Pick<Boot, 'spendNonce'> & RegisteringBoot,
  now: UnixSeconds,
): Promise<readonly (GrantedJob | RefusedJob)[]> {
  const { request, asker, verified, inForce } = authentic
  const spent = await refusalOf('nonce', 'unused', () => boot.spendNonce(request.nonce))
  if (spent !== undefined) return request.jobs.map(() => ({ kind: 'refused', reasons: [spent] }))

  const { policy } = inForce.loaded
  const { revocation } = inForce
  const { boot: id, trust } = request.runtimeData
  const verdict = appraise(verified, policy, { trust, at: now, revocation })
  const decisions = request.jobs.map((job) =>
    decideJob(job, { asker, boot: id, verdict }, { policy, revocation, now }),
  )
  if (verdict.kind === 'refused' || !decisions.some(({ kind }) => kind === 'granted')) return decisions

  const unregistered = await refusalOf('boot', 'new, or registered as it is', () =>
    registerWorker(authentic, verdict, boot, now),
  )
  if (unregistered === undefined) return decisions
  return decisions.map((decision) =>
    decision.kind === 'granted' ? { kind: 'refused', reasons: [unregistered] } : decision,
  )
}

async function registerWorker(
  { request: { runtimeData }, asker, attestation }: AuthenticRequest,
  { reference, assurance, simulated }: AcceptedVerdict,
  { registrations, evidence }: RegisteringBoot,
  time: UnixSeconds,
): Promise<void> {
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
  if (await registrations.register(registration))
    evidence.append({ event: 'boot.registered', boot, reference, assurance, ...attestation })
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
