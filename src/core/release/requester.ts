/**
 * Decides on the requester, whatever it asks for: its machine, its boot, and whether any permission of the
 * policy could serve it. A preflight asks for nothing else.
 */
import type { AcceptedVerdict, Distance, Verdict } from '../appraisal/appraise.ts'
import type { Refusal } from '../errors.ts'
import type { Policy } from '../policy/policy.ts'
import type { Revocation } from '../policy/revocation.ts'
import type { VerifiedAsker } from './assertion.ts'
import { hasPurpose, permissionsFor, scopeReasons } from './permissionRules.ts'
import { bootReasons, platformReasons } from './platformRules.ts'
import { named } from './unsaid.ts'

/** The client, its boot and the verdict on its machine: all of them verified. */
export type Requester = { readonly asker: VerifiedAsker; readonly boot: string; readonly verdict: Verdict }
/** Only such a requester's jobs are decided. */
export type AcceptedRequester = {
  readonly kind: 'accepted'
  readonly asker: VerifiedAsker
  readonly verdict: AcceptedVerdict
}
export type RefusedRequester = {
  readonly kind: 'refused'
  readonly reasons: readonly Refusal[]
  /** From all reference values, nearest first; empty if the machine is accepted. */
  readonly distances: readonly Distance[]
}

export function decideRequester(
  { asker, boot, verdict }: Requester,
  rules: {
    readonly policy: Policy
    readonly revocation: Pick<Revocation, 'boots' | 'permissions'>
  },
): AcceptedRequester | RefusedRequester {
  const reasons = [
    ...(verdict.kind === 'refused' ? verdict.reasons : []),
    ...bootReasons(boot, rules.revocation),
    ...useReasons(asker, verdict, rules),
  ]
  if (verdict.kind === 'refused') return { kind: 'refused', reasons, distances: verdict.distances }
  if (reasons.length > 0) return { kind: 'refused', reasons, distances: [] }
  return { kind: 'accepted', asker, verdict }
}

/**
 * Empty if some permission could serve this client on this machine. The window is left out: a permission that
 * has ended may be renewed, and its jobs wait.
 */
function useReasons(
  asker: VerifiedAsker,
  verdict: Verdict,
  { policy, revocation }: Parameters<typeof decideRequester>[1],
): readonly Refusal[] {
  const uses = policy.datasets.flatMap((dataset) =>
    permissionsFor(asker, dataset, revocation).map((permission) => [
      ...scopeReasons(permission, asker),
      ...(verdict.kind === 'accepted' ? platformReasons(verdict, dataset) : []),
    ]),
  )
  const none = {
    code: 'client.none',
    field: 'datasets.permissions',
    expected: 'a permission for this client and purpose',
    actual: `none for ${asker.client} and ${named(asker.purpose, hasPurpose(policy, asker.purpose))}`,
    remedy: 'add a permission to the policy, if this use is to be allowed',
  } as const
  return uses.reduce((nearest, use) => (use.length < nearest.length ? use : nearest), uses[0] ?? [none])
}
