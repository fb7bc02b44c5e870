/**
 * Compares each decision with the newest policy and the lists that were in force at its time, whether its own
 * log had loaded them or not: a Verifier that is shown an old bucket, or shows one, is found here.
 */
import type { Policy } from '../../../policy/policy.ts'
import type { Context, Rule } from '../context.ts'
import type { Decided } from '../life.ts'
import { policyOf } from './decisions.ts'

/** A Verifier lists its governance every few seconds. This much later it has what was public. */
const LISTING_SECONDS = 60

export function supersession({ anchors, findings }: Context): Rule {
  const { governed, withdrawn } = anchors
  // Policies that no log has loaded so far: the first decision after each, under an older one.
  const passedOver = new Map<string, { readonly first: Decided; readonly seq: number }>()
  return {
    decision: (decided) => {
      const policy = policyOf(decided, anchors)
      if (policy === undefined || decided.accepted === undefined) return
      judgePolicy(decided, policy)
      judgeLists(decided, decided.accepted, policy)
    },
    end: () => {
      for (const [digest, { first, seq }] of passedOver)
        if (!governed.wasLoaded(digest))
          findings.at(first, `release ${first.entry.releaseId}`)(
            'decision.superseded',
            `policy ${seq} had been issued, and no log has ever loaded it`,
          )
    },
  }

  /**
   * A quorum signs for hours, and `issuedAt` is before that. So a policy counts from when a log had it; one that
   * no log ever had was hidden from all, and counts from when it was issued.
   */
  function judgePolicy(decided: Decided, policy: Policy): void {
    const latest = decided.entry.time - LISTING_SECONDS
    for (const { seq, digest, issuedAt, loadedAt } of governed.policiesFor(policy)) {
      if (seq <= policy.seq || issuedAt > latest) continue
      if (loadedAt === undefined) {
        if (!passedOver.has(digest)) passedOver.set(digest, { first: decided, seq })
      } else if (loadedAt <= latest)
        findings.at(decided, `release ${decided.entry.releaseId}`)(
          'decision.superseded',
          `it names policy ${policy.seq}, and policy ${seq} was in force`,
        )
    }
  }

  function judgeLists(decided: Decided, accepted: NonNullable<Decided['accepted']>, policy: Policy): void {
    const { entry } = decided
    const find = findings.at(decided, `release ${entry.releaseId}`)
    const own = governed.revokedFor(decided, policy, accepted.revocationSeq)
    const all = governed.revokedAt(entry.time - LISTING_SECONDS, policy, own)
    const uses = [
      ['referenceValues', accepted.reference],
      ['permissions', entry.permission],
      ['boots', accepted.boot],
    ] as const
    for (const [kind, name] of uses)
      if (all.names[kind].has(name) && own?.names[kind].has(name) !== true)
        find('decision.revoked', `${name} was revoked by a list that its log did not have`)
    for (const digest of entry.headerDigests) {
      const sealId = withdrawn.get(digest)
      if (sealId === undefined) continue
      if (all.names.objects.has(sealId) || own?.names.objects.has(sealId) === true)
        find('decision.withdrawn', `object ${sealId} was withdrawn`)
    }
  }
}
