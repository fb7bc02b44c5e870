/** The reference values for a report by itself: none, the built-in set, one given set, or a policy. */

import type { TrustStore } from '../snp/chain.ts'
import { unconstrained } from './explain.ts'
import type { AppraisalPolicy, Reference } from './reference.ts'
import type { ReportResult } from './reportResult.ts'
import { STRICT } from './strict.ts'

/** The reference values of a policy, and its number. */
type NumberedValues = AppraisalPolicy & { readonly seq: number }

/** `none` stops when the report is known to be genuine. */
export type ReferenceChoice =
  | { readonly kind: 'none' }
  | { readonly kind: 'strict' }
  | { readonly kind: 'policy'; readonly policy: NumberedValues }
  | { readonly kind: 'given'; readonly reference: Reference }

/**
 * `listed`: revocation lists were given. The built-in set then requires a current list issued by the chain's
 * root.
 */
export function valuesOf(
  reference: Exclude<ReferenceChoice, { kind: 'none' }>,
  roots: TrustStore,
  listed: boolean,
): AppraisalPolicy {
  switch (reference.kind) {
    case 'strict':
      return underAny(roots, listed ? { ...STRICT, crl: { graceSeconds: 0 } } : STRICT)
    case 'given':
      return underAny(roots, reference.reference)
    case 'policy':
      return withoutWorker(reference.policy)
  }
}

/**
 * Only a policy lists worker configurations, so only under a policy is `trust` a field that was left
 * unchecked.
 */
export function leftOpen(
  { referenceValues }: AppraisalPolicy,
  id: string,
  { kind }: ReferenceChoice,
): readonly string[] {
  const fields = referenceValues.filter((reference) => reference.id === id).flatMap(unconstrained)
  return fields.filter((field) => field !== 'trust' || kind === 'policy')
}

/** Every root of the store counts. */
function underAny({ roots }: TrustStore, reference: Reference): AppraisalPolicy {
  return {
    roots: roots.map(({ product, fingerprint, simulated }) => ({ product, ark: fingerprint, simulated })),
    simulation: true,
    referenceValues: [reference],
  }
}

/** A file has no worker behind it, so no configuration can be compared with the policy's. */
function withoutWorker(policy: NumberedValues): AppraisalPolicy {
  return {
    ...policy,
    referenceValues: policy.referenceValues.map((reference) => ({ ...reference, trust: 'any' as const })),
  }
}

export function policyText(reference: ReferenceChoice): ReportResult['policy'] {
  switch (reference.kind) {
    case 'none':
      return 'none'
    case 'strict':
      return 'built-in'
    case 'given':
      return 'given'
    case 'policy':
      return { seq: reference.policy.seq, signatures: 'not-checked' }
  }
}
