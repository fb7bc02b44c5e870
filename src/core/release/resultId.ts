/** The result id, the name of one piece of work. */
import { sha256, toHex } from '../bytes.ts'
import { canonicalBytes } from '../canonical.ts'
import type { Grant } from './grant.ts'

/** Two results are the same work if these fields agree. All come from the grant, none from the job. */
export function resultIdOf(grant: Grant): string {
  const { objects, workload, scopes, view, sensitive, output, recipient } = grant
  const headerDigests = objects.map((object) => object.headerDigest)
  return toHex(
    sha256(canonicalBytes({ headerDigests, workload, scopes, view, sensitive, output, recipient })),
  )
}
