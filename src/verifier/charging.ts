/** Charges the decided jobs of one request to the quotas of their permissions, before any of it is told. */
import { toBase64url } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import type { EntryBody } from '#core/evidence/entry.ts'
import type { GrantedJob, RefusedJob } from '#core/release/decide.ts'
import { type Asked, type Charge, type QuotaWindow, windowAt } from '#core/release/quotaChain.ts'
import { resultIdOf } from '#core/release/resultId.ts'
import { toRfc3339, type UnixSeconds } from '#core/time.ts'
import type { Quotas } from './quotas.ts'

/** A granted job that is in the chain of its quota. */
export type ChargedJob = GrantedJob & {
  readonly quota: Extract<EntryBody, { event: 'release.decided' }>['quota']
}
/** With `quota` if that refuses it. */
export type UnchargedJob = RefusedJob & {
  readonly quota?: Extract<EntryBody, { event: 'release.refused' }>['quota']
}

/** In order. What one quota refuses, or what cannot be charged to it, says nothing about other permissions. */
export async function chargeJobs(
  jobs: readonly (GrantedJob | RefusedJob)[],
  tenant: string,
  quotas: Pick<Quotas, 'charge'>,
  now: UnixSeconds,
): Promise<readonly (ChargedJob | UnchargedJob)[]> {
  const granted = jobs.filter((job) => job.kind === 'granted')
  const ofPermissions = Map.groupBy(granted, ({ permission }) => permission.id).values()
  const outcomes = await Promise.all(
    [...ofPermissions].map(async (same) => await chargeSame(same, tenant, quotas, now)),
  )
  const charged = new Map(outcomes.flat())
  return jobs
    .map((job) => (job.kind === 'refused' ? job : charged.get(job)))
    .filter((job) => job !== undefined)
}

/** Jobs of one permission. */
async function chargeSame(
  jobs: readonly GrantedJob[],
  tenant: string,
  quotas: Pick<Quotas, 'charge'>,
  now: UnixSeconds,
): Promise<readonly (readonly [GrantedJob, ChargedJob | UnchargedJob])[]> {
  const [first] = jobs
  if (first === undefined) return []
  const window = windowAt(first.permission, now)
  try {
    const charges = await quotas.charge(
      window,
      jobs.map((job) => askedOf(job, tenant)),
    )
    return jobs.map((job, i) => [job, outcomeOf(job, window, charges[i])])
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    const reason = {
      code: error.code,
      field: `permission ${first.permission.id}.quota`,
      expected: 'a charge that is stored',
      actual: error.message,
      remedy: 'ask again with a new challenge',
    }
    return jobs.map((job) => [job, { kind: 'refused', reasons: [reason] }])
  }
}

function askedOf({ dataset, permission, objects }: GrantedJob, tenant: string): Asked {
  const id = resultIdOf({
    tenant,
    dataset: dataset.id,
    permission: permission.id,
    edition: permission.edition,
    headerDigests: objects.map(({ headerDigest }) => toBase64url(headerDigest)),
  })
  const bytes = objects.reduce((sum, { header }) => sum + header.size, 0)
  return { work: { id, objects: objects.length, bytes }, limits: permission.quota }
}

function outcomeOf(
  job: GrantedJob,
  { begins, ends }: QuotaWindow,
  charge: Charge | undefined,
): ChargedJob | UnchargedJob {
  if (charge === undefined) throw new CodedError('internal.fault', 'a job has no charge')
  if (charge.kind === 'charged') return { ...job, quota: { begins, used: charge.used } }
  const { unit, limit, used, asked } = charge
  const { id } = job.permission
  const reason = {
    code: 'quota.exceeded',
    field: `permission ${id}.quota.${unit}`,
    expected: `at most ${limit} from ${toRfc3339(begins)} until ${toRfc3339(ends)}`,
    actual: `${used} used, ${asked} asked for`,
    remedy: 'wait for the next window, or raise the quota',
  } as const
  return { kind: 'refused', reasons: [reason], quota: { permission: id, unit, limit, used, asked, ends } }
}
