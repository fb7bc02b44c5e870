/** A freshness statement for people. */
import type { Stated } from '#adapters/governance/freshness.ts'
import { toRfc3339, toUnixSeconds } from '#core/time.ts'

export function renderStated({ name, statement }: Stated): string {
  const { policy, verifierKeys, revocation, exp } = statement
  const documents = `policy ${policy.seq}, verifier keys ${verifierKeys.seq}, ${revocation.seq} revocation lists`
  return `${name}: ${documents}, until ${toRfc3339(toUnixSeconds(exp))}\n`
}
