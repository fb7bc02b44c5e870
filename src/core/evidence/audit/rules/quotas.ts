/** Compares what was decided with the quotas of its permissions: each decision, and all of a window together. */
import type { Permission } from '../../../policy/policy.ts'
import { UNITS, windowAt } from '../../../release/quotaChain.ts'
import { resultIdOf } from '../../../release/resultId.ts'
import { toUnixSeconds } from '../../../time.ts'
import { IdSet } from '../compactTable.ts'
import type { Context, Rule } from '../context.ts'
import type { Decided } from '../life.ts'
import { permissionOf, RECORDING_SECONDS } from './decisions.ts'

/** `permission`: the largest in the window. `last`: the latest decision. */
type Used = {
  permission: Permission
  readonly works: IdSet
  count: number
  objects: number
  last: Decided
}

/** Windows of permissions at one time; of more, the oldest is judged as it is. */
const MAX_WINDOWS = 1024

/**
 * Counts the different works of each window over all logs, since each replica states its own view. Bytes are
 * not in the evidence.
 */
export function quotas({ anchors, findings }: Context): Rule {
  const windows = new Map<string, Used>()
  return {
    decision: (decided) => {
      const permission = permissionOf(decided, anchors)
      if (permission === undefined) return
      const { releaseId, quota, dataset, headerDigests, time } = decided.entry
      const problem = quotaProblem(decided.entry, permission)
      if (problem !== undefined) findings.at(decided, `release ${releaseId}`)('decision.unfounded', problem)
      const { id, edition } = permission
      const name = `${id} ${permission.quota.hours} ${quota.begins}`
      const used = windows.get(name) ?? open(name, permission, decided)
      used.permission = larger(used.permission, permission)
      if (time >= used.last.entry.time) used.last = decided
      if (!used.works.add(resultIdOf({ tenant: '', dataset, permission: id, edition, headerDigests }))) return
      used.count += 1
      used.objects += headerDigests.length
    },
    end: () => {
      for (const used of windows.values()) judge(used)
    },
  }

  function open(name: string, permission: Permission, last: Decided): Used {
    for (const [oldest, used] of windows)
      if (windows.size >= MAX_WINDOWS || isOver(oldest, last.entry.time)) {
        judge(used)
        windows.delete(oldest)
      }
    const used = { permission, works: new IdSet(32), count: 0, objects: 0, last }
    windows.set(name, used)
    return used
  }

  function judge({ permission: { id, quota }, count, objects, last }: Used): void {
    if (count > quota.releases || objects > quota.objects)
      findings.at(last)(
        'decision.unfounded',
        `${count} works over ${objects} objects in one window of ${id}, whose quota is ${quota.releases} and ${quota.objects}`,
      )
  }
}

/** No replica records a decision in a window that ended an hour ago. */
function isOver(window: string, now: number): boolean {
  const [, hours, begins] = window.split(' ').map(Number)
  return Number(begins) + (Number(hours) + 1) * 3600 < now
}

/** Undefined if the decision states a window and a use that its permission allows. */
function quotaProblem({ time, quota }: Decided['entry'], permission: Permission): string | undefined {
  const windows = [0, -RECORDING_SECONDS].map(
    (seconds) => windowAt(permission, toUnixSeconds(Math.max(0, time + seconds))).begins,
  )
  if (!windows.some((begins) => begins === quota.begins)) return 'the quota is of another window'
  const over = UNITS.find((unit) => quota.used[unit] > permission.quota[unit])
  return over === undefined ? undefined : `the quota of ${over} was exceeded`
}

/** A newer policy may have raised the quota within the window. */
function larger(one: Permission, other: Permission): Permission {
  return other.quota.releases > one.quota.releases || other.quota.objects > one.quota.objects ? other : one
}
