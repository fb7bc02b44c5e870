/** The rules about the permission: its client and purpose, its window, its scopes. */
import type { Refusal } from '../errors.ts'
import type { Dataset, Permission, Policy } from '../policy/policy.ts'
import type { Revocation } from '../policy/revocation.ts'
import { grantedTerms } from '../policy/terms.ts'
import type { SealHeader } from '../sealed/header.ts'
import { toRfc3339, toUnixSeconds, type UnixSeconds } from '../time.ts'
import type { Asker, VerifiedAsker } from './assertion.ts'

export type PermissionMatch = {
  readonly dataset: Dataset
  readonly permission: Permission
  /** Empty if the permission allows the request. */
  readonly reasons: readonly Refusal[]
}

/** The permission for this client and purpose. Of several, the one with the fewest reasons against it. */
export function lookUpPermission(
  header: SealHeader,
  asker: VerifiedAsker,
  rules: {
    readonly policy: Policy
    readonly revocation: Pick<Revocation, 'permissions'>
    readonly now: UnixSeconds
  },
): PermissionMatch | undefined {
  const { policy, revocation, now } = rules
  if (header.tenant !== policy.tenant) return undefined
  const dataset = policy.datasets.find(({ id }) => id === header.dataset)
  if (dataset === undefined) return undefined
  return permissionsFor(asker, dataset, revocation)
    .map((permission) => ({ dataset, permission, reasons: permissionReasons(permission, asker, now) }))
    .reduce<PermissionMatch | undefined>(
      (nearest, match) =>
        nearest === undefined || match.reasons.length < nearest.reasons.length ? match : nearest,
      undefined,
    )
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

export function noPermission({ tenant, dataset }: SealHeader, { client, purpose }: Asker): Refusal {
  return {
    code: 'permission.none',
    field: 'datasets.permissions',
    expected: `a permission in ${tenant}/${dataset}`,
    actual: `none in force for ${client} and ${purpose}`,
    remedy: 'add a permission to the policy, if this use is to be allowed',
  }
}

function permissionReasons(permission: Permission, asker: VerifiedAsker, now: UnixSeconds): Refusal[] {
  const scopes = scopeReasons(permission, asker)
  if (permission.notBefore <= now && now < permission.notAfter) return scopes
  const expired: Refusal = {
    code: 'permission.expired',
    field: `permission ${permission.id}`,
    expected: `from ${toRfc3339(toUnixSeconds(permission.notBefore))} until ${toRfc3339(toUnixSeconds(permission.notAfter))}`,
    actual: toRfc3339(now),
    remedy: 'renew the permission',
  }
  return [expired, ...scopes]
}

/**
 * The terms are the permission's. A request that names scopes must name exactly its scopes: a narrower question
 * would be another question about the same people.
 */
export function scopeReasons(permission: Permission, { scopesDigest: asked }: VerifiedAsker): Refusal[] {
  const { scopesDigest } = grantedTerms(permission)
  if (asked === null || asked === scopesDigest) return []
  return [
    {
      code: 'scope.exceeded',
      field: `permission ${permission.id}.scopes`,
      expected: `no scope, or exactly the scopes with SHA-256 ${scopesDigest}`,
      actual: `scopes with SHA-256 ${asked}`,
      remedy: "ask without a scope: the terms are the permission's",
    },
  ]
}
