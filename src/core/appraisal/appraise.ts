/** Is an authentic report acceptable? The decision and its explanation are one evaluation. */

import type { Refusal } from '../errors/report.ts'
import type { Tcb } from '../snp/tcb.ts'
import type { VerifiedReport } from '../snp/verify.ts'
import type { UnixSeconds } from '../time.ts'
import { processorOf } from './processorRules.ts'
import {
  type AppraisalPolicy,
  type Assurance,
  meetsAssurance,
  type Reference,
  type Subject,
} from './reference.ts'
import { RULES } from './rules.ts'

declare const accepted: unique symbol

/** Made by `appraise` alone, under a policy: the only thing that a release is decided on. */
export type AcceptedVerdict = Extract<Evaluation, { readonly kind: 'accepted' }> & {
  readonly [accepted]: true
}
export type Verdict = AcceptedVerdict | Extract<Evaluation, { readonly kind: 'refused' }>

export type Evaluation =
  | {
      readonly kind: 'accepted'
      /** Id of the reference that the report matches. */
      readonly reference: string
      readonly assurance: Assurance
      readonly simulated: boolean
      /** What the TCB was held against. */
      readonly floor: Tcb | undefined
      readonly verified: VerifiedReport
    }
  | {
      readonly kind: 'refused'
      /** Id of the reference that came nearest; the reasons are against it. */
      readonly nearest: string
      /** Every violation, at least one. */
      readonly reasons: readonly Refusal[]
      /** What the TCB was held against; undefined where that reference has no row for the processor. */
      readonly floor: Tcb | undefined
      readonly verified: VerifiedReport
    }

/**
 * `trust` is the worker's trust digest as the report binds it. `revocation` is the list in force; where there is none yet, one
 * with an empty `referenceValues`.
 */
export function appraise(
  verified: VerifiedReport,
  values: AppraisalPolicy,
  circumstances: {
    readonly trust: string
    readonly at: UnixSeconds
    readonly revocation: { readonly referenceValues: readonly string[] }
  },
): Verdict {
  const { trust, at, revocation } = circumstances
  const evaluation = evaluate({ verified, trust, at, revoked: revocation.referenceValues }, values)
  // The one place where the brand is given.
  return evaluation as Verdict
}

/** The same rules without the weight of a verdict: for looking at reports by hand. */
export function evaluate(subject: Subject, values: AppraisalPolicy): Evaluation {
  const { verified } = subject
  const [best, ...others] = values.referenceValues.map((reference) => ({
    reference,
    violations: RULES.flatMap((rule) => rule(subject, reference)),
  }))
  if (best === undefined) throw new RangeError('there are no referenceValues to appraise against')
  const nearest = others.reduce((a, b) => (compare(a, b) <= 0 ? a : b), best)
  const reasons = [...rootViolations(verified, values), ...nearest.violations]
  const floor = processorOf(verified, nearest.reference)?.floor
  if (reasons.length > 0) return { kind: 'refused', nearest: nearest.reference.id, reasons, floor, verified }
  return {
    kind: 'accepted',
    reference: nearest.reference.id,
    assurance: nearest.reference.assurance,
    simulated: verified.endorsement.simulated,
    floor,
    verified,
  }
}

type Candidate = { readonly reference: Reference; readonly violations: readonly Refusal[] }

/** Nearest first: accepted, then of this measurement, then with the fewest violations, then of the higher assurance. */
function compare(a: Candidate, b: Candidate): number {
  const isForeign = ({ violations }: Candidate) =>
    Number(violations.some(({ code }) => code === 'measurement.unknown'))
  const isLower = ({ reference }: Candidate) => Number(!meetsAssurance(reference.assurance, 'measured'))
  return isForeign(a) - isForeign(b) || a.violations.length - b.violations.length || isLower(a) - isLower(b)
}

/** Roots are the policy's, not a reference's: a root that it does not name is refused whatever else is right. */
function rootViolations({ endorsement }: VerifiedReport, values: AppraisalPolicy): readonly Refusal[] {
  const { product, root, simulated } = endorsement
  const named = values.roots.some(
    (row) => row.ark === root && row.product === product && row.simulated === simulated,
  )
  if (named && (!simulated || values.simulation)) return []
  return [
    {
      code: 'root.untrusted',
      field: 'root',
      expected: named ? 'no simulated root' : `an ARK of ${product} that the policy names`,
      actual: simulated ? `${root} (simulated)` : root,
      remedy: simulated ? 'use genuine hardware' : 'name this ARK in a new policy',
    },
  ]
}
