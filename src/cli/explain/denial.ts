/** A denial and what is known of it, from an audited report. */
import { CodedError } from '#core/errors.ts'
import type { EvidenceReport, RefusedRelease } from '#core/evidence/audit/report.ts'

/** Plain JSON. */
export type FoundDenial = RefusedRelease & {
  /** Of the whole evidence: what a broken one says is no proof. */
  readonly evidence: Pick<EvidenceReport, 'verdict' | 'simulation'>
}

/** `evidence verify` prints ten digits. */
const ID = /^[0-9a-f]{8,32}$/

/** Throws `denial.missing`, and `usage.invalid` for what is no id or may be several. */
export function findDenial({ releases, verdict, simulation }: EvidenceReport, id: string): FoundDenial {
  if (!ID.test(id))
    throw new CodedError(
      'usage.invalid',
      'a denial id is 32 digits of lower-case hex, or at least its first 8',
    )
  const found = releases.filter(
    (release): release is RefusedRelease => release.kind === 'refused' && release.denialId.startsWith(id),
  )
  const [denial] = found
  if (denial === undefined) throw new CodedError('denial.missing', `the evidence has no denial ${id}`)
  if (found.length > 1)
    throw new CodedError('usage.invalid', `${found.length} denials begin with ${id}: give more digits`)
  return { ...denial, evidence: { verdict, simulation } }
}
