/** Compares what was decided with the quotas of its permissions: each decision, and all of a window together. */
import type { Permission } from '../../policy/policy.ts'
import { UNITS, windowAt } from '../../release/quotaChain.ts'
import { resultIdOf } from '../../release/resultId.ts'
import { toUnixSeconds } from '../../time.ts'
import type { Context } from './context.ts'
import { permissionOf, RECORDING_SECONDS } from './decisions.ts'
import type { Decided } from './histories.ts'

/** Undefined if the decision states a window and a use that its permission allows. */
function quotaProblem({ time, quota }: Decided['entry'], permission: Permission): string | undefined {
  const windows = [0, -RECORDING_SECONDS].map(
    (seconds) => windowAt(permission, toUnixSeconds(Math.max(0, time + seconds))).begins,
  )
  if (!windows.some((begins) => begins === quota.begins)) return 'the quota is of another window'
  const over = UNITS.find((unit) => quota.used[unit] > permission.quota[unit])
  return over === undefined ? undefined : `the quota of ${over} was exceeded`
}

/** `last`: the latest decision. */
type Used = {
  readonly permission: Permission
  readonly works: Map<string, number>
  readonly last: Decided
}

/**
 * Counts the different works of each window over all logs, since each replica states its own view. Bytes are
 * not in the evidence.
 */
export function judgeQuotas({ histories, anchors, findings }: Context): void {
  const windows = new Map<string, Used>()
  for (const { decided } of histories.releases.values()) {
    const [first] = decided
    const permission = first === undefined ? undefined : permissionOf(first, anchors)
    if (first === undefined || permission === undefined) continue
    const problem = quotaProblem(first.entry, permission)
    if (problem !== undefined)
      findings.at(first, `release ${first.entry.releaseId}`)('decision.unfounded', problem)
    const { quota, dataset, headerDigests } = first.entry
    const window = `${permission.id} ${permission.quota.hours} ${quota.begins}`
    const used = windows.get(window) ?? { permission, works: new Map(), last: first }
    const { id, edition } = permission
    const question = { tenant: '', dataset, permission: id, edition, headerDigests }
    used.works.set(resultIdOf(question), headerDigests.length)
    const last = first.entry.time >= used.last.entry.time ? first : used.last
    windows.set(window, { ...used, permission: larger(used.permission, permission), last })
  }
  for (const { permission, works, last } of windows.values()) {
    const objects = [...works.values()].reduce((sum, count) => sum + count, 0)
    const { quota } = permission
    if (works.size > quota.releases || objects > quota.objects)
      findings.at(last)(
        'decision.unfounded',
        `${works.size} works over ${objects} objects in one window of ${permission.id}, whose quota is ${quota.releases} and ${quota.objects}`,
      )
  }
}

/** A newer policy may have raised the quota within the window. */
function larger(one: Permission, other: Permission): Permission {
  return other.quota.releases > one.quota.releases || other.quota.objects > one.quota.objects ? other : one
}
