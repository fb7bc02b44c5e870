/** What every section is written from. */
import type { FolderReport } from '#adapters/evidence/folderAudit.ts'
import type { AllowedRelease, RefusedRelease } from '#core/evidence/audit/report.ts'
import type { Dataset, Permission } from '#core/policy/policy.ts'
import type { Totals } from './totals.ts'

export type PageContext = {
  readonly report: FolderReport
  /** Of all releases, also those that the report does not list. */
  readonly totals: Totals
  /** Seconds since the epoch, by the clock of the machine that wrote the page. */
  readonly preparedAt: number
  readonly software: string
}

export type PermissionInForce = { readonly dataset: Dataset; readonly permission: Permission }

/** The permission as a policy has it; undefined if the policy or the permission is absent. */
export function permissionIn(
  { policies }: FolderReport,
  use: { readonly policySeq: number; readonly dataset: string; readonly permission: string },
): PermissionInForce | undefined {
  const { policy } = policies.find(({ seq }) => seq === use.policySeq) ?? {}
  const dataset = policy?.datasets.find(({ id }) => id === use.dataset)
  const permission = dataset?.permissions.find(({ id }) => id === use.permission)
  return dataset && permission && { dataset, permission }
}

/** The releases that the report lists. */
export function newestFirst({ releases }: FolderReport): readonly (AllowedRelease | RefusedRelease)[] {
  return [...releases].reverse()
}

/** The organisations whose data it is, as the policies name them. */
export function tenantsOf({ policies }: FolderReport): readonly string[] {
  return [...new Set(policies.map(({ policy }) => policy.tenant))]
}

/** From the first entry of any log to the last; undefined without entries. */
export function periodOf({ logs }: FolderReport): { readonly from: number; readonly to: number } | undefined {
  const from = logs.flatMap(({ openedAt }) => openedAt ?? [])
  const to = logs.flatMap(({ lastAt }) => lastAt ?? [])
  if (from.length === 0) return undefined
  return { from: from.reduce((a, b) => Math.min(a, b)), to: to.reduce((a, b) => Math.max(a, b), 0) }
}
