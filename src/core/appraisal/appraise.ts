/**
 * Decides whether an authentic report is acceptable. The decision and its explanation come from one
 * evaluation.
 */

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

/** Only `appraise` makes it, under a policy. A release is decided on nothing else. */
export type AcceptedVerdict = Extract<Evaluation, { readonly kind: 'accepted' }> & {
  readonly [accepted]: true
}
/** The outcome of an appraisal under a policy. */
export type Verdict = AcceptedVerdict | Extract<Evaluation, { readonly kind: 'refused' }>

/** How far a report is from some reference values: the field of each violation. A field may occur twice. */
export type Distance = { readonly reference: string; readonly fields: readonly string[] }

/** The outcome of the rules, with what they were compared with. */
export type Evaluation =
  | {
      readonly kind: 'accepted'
      /** Id of the reference values that the report matches. */
      readonly reference: string
      readonly assurance: Assurance
      readonly simulated: boolean
      /** The least TCB that was required. */
      readonly floor: Tcb | undefined
      readonly verified: VerifiedReport
    }
  | {
      readonly kind: 'refused'
      /** Id of the reference values that came nearest; the reasons are against them. */
      readonly nearest: string
      /** Every violation, at least one. */
      readonly reasons: readonly Refusal[]
      /** Of all reference values, nearest first. */
      readonly distances: readonly Distance[]
      /**
       * The least TCB that was required; undefined if these reference values have no row for the processor.
       */
      readonly floor: Tcb | undefined
      readonly verified: VerifiedReport
    }

/**
 * Appraises a worker's report under a policy. `trust` is the worker's trust digest as the report binds it.
 * `revocation` is the list in force; before the first list, one with empty `referenceValues`. Throws a
 * RangeError for a policy without reference values.
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
  // The only place that gives the brand.
  return evaluation as Verdict
}

/**
 * The same rules without a verdict, for a report by itself. Throws a RangeError if there are no reference
 * values.
 */
export function evaluate(subject: Subject, values: AppraisalPolicy): Evaluation {
  const { verified } = subject
  const candidates = values.referenceValues
    .map((reference) => ({ reference, violations: RULES.flatMap((rule) => rule(subject, reference)) }))
    .sort(compare)
  const [nearest] = candidates
  if (nearest === undefined) throw new RangeError('there are no reference values to appraise against')
  const reasons = [...rootViolations(verified, values), ...nearest.violations]
  const floor = processorOf(verified, nearest.reference)?.floor
  if (reasons.length > 0) {
    const distances = candidates.map(distanceOf)
    return { kind: 'refused', nearest: nearest.reference.id, reasons, distances, floor, verified }
  }
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

function distanceOf({ reference, violations }: Candidate): Distance {
  return { reference: reference.id, fields: violations.map(({ field }) => field) }
}

/** Nearest first: the same measurement, then the fewest violations, then the higher assurance. */
function compare(a: Candidate, b: Candidate): number {
  const isForeign = ({ violations }: Candidate) =>
    Number(violations.some(({ code }) => code === 'measurement.unknown'))
  const isLower = ({ reference }: Candidate) => Number(!meetsAssurance(reference.assurance, 'measured'))
  return isForeign(a) - isForeign(b) || a.violations.length - b.violations.length || isLower(a) - isLower(b)
}

/** A policy names its roots for all reference values: any other root is refused, whatever else is right. */
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
