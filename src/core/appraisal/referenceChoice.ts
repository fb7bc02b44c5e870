/** What a report is held against by hand: nothing, the built-in set, one reference, or a policy. */

import type { TrustStore } from '../snp/chain.ts'
import { unconstrained } from './explain.ts'
import type { AppraisalPolicy, Reference } from './reference.ts'
import type { ReportResult } from './reportResult.ts'
import { STRICT } from './strict.ts'

/** The reference values of a policy, and its number. */
export type NumberedValues = AppraisalPolicy & { readonly seq: number }

export type ReferenceChoice =
  /** Stop where the report is known to be genuine. */
  | { readonly kind: 'none' }
  | { readonly kind: 'strict' }
  | { readonly kind: 'policy'; readonly policy: NumberedValues }
  | { readonly kind: 'given'; readonly reference: Reference }

/** Whoever gives the built-in set a revocation list wants it to count: `listed`, it must be of the chain's root, and in force. */
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

/** A worker's configuration is left open where a policy speaks of one; elsewhere there is no worker to speak of. */
export function leftOpen(
  { referenceValues }: AppraisalPolicy,
  id: string,
  { kind }: ReferenceChoice,
): readonly string[] {
  const fields = referenceValues.filter((reference) => reference.id === id).flatMap(unconstrained)
  return fields.filter((field) => field !== 'trust' || kind === 'policy')
}

/** Every root that was given counts. */
function underAny({ roots }: TrustStore, reference: Reference): AppraisalPolicy {
  return {
    roots: roots.map(({ product, fingerprint, simulated }) => ({ product, ark: fingerprint, simulated })),
    simulation: true,
    referenceValues: [reference],
  }
}

/** No worker stands behind a file, so its configuration cannot be held against the policy's. */
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
