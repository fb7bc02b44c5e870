/** The rules about the permission: its client and purpose, its window, its scopes. */
import type { Refusal } from '../errors.ts'
import type { Dataset, Permission, Policy } from '../policy/policy.ts'
import type { Revocation } from '../policy/revocation.ts'
import { grantedTerms } from '../policy/terms.ts'
import type { SealHeader } from '../sealed/header.ts'
import { toRfc3339, toUnixSeconds, type UnixSeconds } from '../time.ts'
import type { Asker, VerifiedAsker } from './assertion.ts'
import { named } from './unsaid.ts'

export type PermissionMatch = {
  readonly dataset: Dataset
  readonly permission: Permission
  /** Empty if the permission allows the request. */
  readonly reasons: readonly Refusal[]
}

/**
 * The permission for this client and purpose. Of several, the first with the fewest reasons against it, which
 * alone are put into words: a client may have hundreds, and ask for hundreds of objects.
 */
export function lookUpPermission(
  { tenant, dataset: wanted }: Pick<SealHeader, 'tenant' | 'dataset'>,
  asker: VerifiedAsker,
  rules: {
    readonly policy: Policy
    readonly revocation: Pick<Revocation, 'permissions'>
    readonly now: UnixSeconds
  },
): PermissionMatch | undefined {
  const { policy, revocation, now } = rules
  if (tenant !== policy.tenant) return undefined
  const dataset = policy.datasets.find(({ id }) => id === wanted)
  if (dataset === undefined) return undefined
  const broken = permissionsFor(asker, dataset, revocation).map((permission) => ({
    permission,
    rules: PERMISSION_RULES.filter(({ holds }) => !holds(permission, asker, now)),
  }))
  const [first, ...others] = broken
  if (first === undefined) return undefined
  const nearest = others.reduce((least, one) => (one.rules.length < least.rules.length ? one : least), first)
  const { permission } = nearest
  return { dataset, permission, reasons: nearest.rules.map(({ reason }) => reason(permission, asker, now)) }
}

/** Those for this client and purpose that are not revoked, in force or not. */
export function permissionsFor(
  asker: Asker,
  { permissions }: Dataset,
  revocation: Pick<Revocation, 'permissions'>,
): readonly Permission[] {
  return permissions.filter(({ id, client, purpose }) => {
    const isForThem = client === asker.client && purpose === asker.purpose
    return isForThem && !revocation.permissions.includes(id)
  })
}

export function hasPurpose({ datasets }: Policy, purpose: string): boolean {
  return datasets.some(({ permissions }) => permissions.some((permission) => permission.purpose === purpose))
}

/** The header is not verified: its words are told only if the policy has them. */
export function noPermission(
  { tenant, dataset }: SealHeader,
  { client, purpose }: Asker,
  policy: Policy,
): Refusal {
  const hasDataset = policy.datasets.some(({ id }) => id === dataset)
  return {
    code: 'permission.none',
    field: 'datasets.permissions',
    expected: `a permission in ${named(tenant, tenant === policy.tenant)}/${named(dataset, hasDataset)}`,
    actual: `none in force for ${client} and ${named(purpose, hasPurpose(policy, purpose))}`,
    remedy: 'add a permission to the policy, if this use is to be allowed',
  }
}

type PermissionRule = {
  readonly holds: (permission: Permission, asker: VerifiedAsker, now: UnixSeconds) => boolean
  readonly reason: (permission: Permission, asker: VerifiedAsker, now: UnixSeconds) => Refusal
}

const WINDOW: PermissionRule = {
  holds: ({ notBefore, notAfter }, _asker, now) => notBefore <= now && now < notAfter,
  reason: ({ id, notBefore, notAfter }, _asker, now) => ({
    code: 'permission.expired',
    field: `permission ${id}`,
    expected: `from ${toRfc3339(toUnixSeconds(notBefore))} until ${toRfc3339(toUnixSeconds(notAfter))}`,
    actual: toRfc3339(now),
    remedy: 'renew the permission',
  }),
}

/**
 * The terms are the permission's. A request that names scopes must name exactly its scopes: a narrower question
 * would be another question about the same people.
 */
const SCOPES = {
  holds: (permission: Permission, { scopesDigest }: VerifiedAsker) =>
    scopesDigest === null || scopesDigest === grantedTerms(permission).scopesDigest,
  reason: (permission: Permission, { scopesDigest }: VerifiedAsker) => ({
    code: 'scope.exceeded' as const,
    field: `permission ${permission.id}.scopes`,
    expected: `no scope, or exactly the scopes with SHA-256 ${grantedTerms(permission).scopesDigest}`,
    actual: `scopes with SHA-256 ${scopesDigest}`,
    remedy: "ask without a scope: the terms are the permission's",
  }),
} satisfies PermissionRule

const PERMISSION_RULES: readonly PermissionRule[] = [WINDOW, SCOPES]

export function scopeReasons(permission: Permission, asker: VerifiedAsker): Refusal[] {
  return SCOPES.holds(permission, asker) ? [] : [SCOPES.reason(permission, asker)]
}
