/** The result id: one question about one input has one result. */
import { sha256, toHex } from '../bytes.ts'
import { canonicalBytes } from '../canonical.ts'
import type { Grant } from './grant.ts'

/**
 * Only the provider can ask anew, by a higher edition of the permission. Other terms under the same edition
 * give the same id, so they find the result that exists.
 */
export function resultIdOf(question: {
  readonly tenant: string
  readonly dataset: string
  readonly permission: string
  readonly edition: number
  readonly headerDigests: readonly string[]
}): string {
  const { tenant, dataset, permission, edition } = question
  const headerDigests = [...question.headerDigests].sort()
  return toHex(sha256(canonicalBytes({ v: 1, tenant, dataset, permission, edition, headerDigests })))
}

export function resultIdOfGrant({ objects, ...question }: Grant): string {
  return resultIdOf({ ...question, headerDigests: objects.map(({ headerDigest }) => headerDigest) })
}
