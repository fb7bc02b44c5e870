/** Joins the denials that workers log with what the Verifiers refused, or failed to issue. */
import { BoundedMap } from '../bounded.ts'
import { IdSet } from '../compactTable.ts'
import type { Context, Rule } from '../context.ts'
import type { Logged } from '../log/log.ts'

/** Denials that wait for their refusal: clocks differ by seconds. Of more, the oldest is judged as it is. */
const MAX_WAITING = 16_384

export function denials({ anchors, logs, lives, findings }: Context): Rule {
  const refused = new IdSet(16)
  const waiting = new BoundedMap<string, Logged<'release.denied'>>(MAX_WAITING)
  return {
    entry: (logged) => {
      const { entry } = logged
      if (entry.event === 'worker.refused' || entry.event === 'release.refused') {
        refused.add(entry.denialId)
        waiting.delete(entry.denialId)
      }
      if (entry.event !== 'release.denied' || refused.has(entry.denialId)) return
      const oldest = waiting.set(entry.denialId, { ...logged, entry })
      if (oldest !== undefined) judge(oldest)
    },
    end: () => {
      for (const denied of waiting.values()) judge(denied)
    },
  }

  /** A release that failed is denied under its own id. */
  function judge(denied: Logged<'release.denied'>): void {
    const { denialId } = denied.entry
    if (refused.has(denialId) || lives.knows(denialId) || isVerifierMissing()) return
    findings.at(denied)('denial.unknown', `no Verifier's log has denial ${denialId}`)
  }

  /** Its log may be the absent one, which is a finding. */
  function isVerifierMissing(): boolean {
    for (const { boot, role } of anchors.registrations.values())
      if (role === 'verifier' && logs.isMissing(boot)) return true
    return false
  }
}
