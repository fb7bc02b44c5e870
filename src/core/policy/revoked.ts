/**
 * What has been revoked, for a reader without the policy. He cannot know which signers a policy excluded, so
 * each signer of the root counts, and no signer's limit: what is told too much, a person can judge.
 */
import type { QuorumRoot } from '../jws.ts'
import { type GovernanceDocument, personsOf } from './document.ts'
import type { Revocation, Revoked } from './revocation.ts'

const NONE: ReadonlySet<string> = new Set()

/** The time of the oldest list that revokes this id and that no quorum has replaced; undefined if there is none. */
export function revokedSince(
  lists: readonly GovernanceDocument<Revocation>[],
  { threshold }: QuorumRoot,
  field: keyof Revoked,
  id: string,
): number | undefined {
  const byQuorum = lists.filter((list) => personsOf(list, NONE) >= threshold)
  const replaced = new Set(byQuorum.flatMap(({ content }) => content?.replaces ?? []))
  const times = lists
    .filter(({ digest, content }) => !replaced.has(digest) && content?.[field].includes(id))
    .map(({ issuedAt }) => issuedAt)
  return times.length === 0 ? undefined : Math.min(...times)
}
