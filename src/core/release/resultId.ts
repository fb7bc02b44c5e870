/** The result id: the name of one piece of work. */
import { sha256, toHex } from '../bytes.ts'
import { canonicalBytes } from '../canonical.ts'
import type { Grant } from './grant.ts'

/** Everything that makes two results the same work, all from the grant and never from the job. */
export function resultIdOf(grant: Grant): string {
  const { objects, workload, scopes, view, sensitive, output, recipient } = grant
  const headerDigests = objects.map((object) => object.headerDigest)
  return toHex(
    sha256(canonicalBytes({ headerDigests, workload, scopes, view, sensitive, output, recipient })),
  )
}
