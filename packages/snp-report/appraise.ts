/** Appraisal by the reference values of a relying party. */
import { type Evaluation, evaluate } from '../../src/core/appraisal/appraise.ts'
import type { Reference } from '../../src/core/appraisal/reference.ts'
import type { VerifiedReport } from '../../src/core/snp/verify.ts'
import type { UnixSeconds } from '../../src/core/time.ts'

/**
 * `accepted` with the reference that matches, or `refused` with every reason against the reference that came
 * nearest. Reasons
 * have the codes of docs/errors.md, section Appraisal.
 */
export type Verdict = Evaluation

/** What the verdict depends on besides the report. */
export type Circumstances = {
  /** The time of the appraisal. */
  readonly at: UnixSeconds
  /** Ids of revoked reference values; none if absent. */
  readonly revoked?: readonly string[]
  /**
   * The digest of the guest's configuration, if REPORT_DATA binds one; it is compared with `Reference.trust`.
   * The caller has verified that binding.
   */
  readonly trust?: string
  /** Whether a root that is marked `simulated` may count. False if absent. */
  readonly simulation?: boolean
}

/**
 * Appraises an authentic report: does it match one of the reference values? Its chain ends at a root of the
 * trust store that verified it, so every such root counts, except a simulated one.
 *
 * REPORT_DATA is not compared: only the caller knows which nonce or key it must hold. Throws a RangeError if
 * `references` is empty.
 */
export function appraise(
  verified: VerifiedReport,
  references: readonly Reference[],
  { at, revoked = [], trust, simulation = false }: Circumstances,
): Verdict {
  const { product, root: ark, simulated } = verified.endorsement
  return evaluate(
    { verified, trust, at, revoked },
    { roots: [{ product, ark, simulated }], simulation, referenceValues: references },
  )
}
