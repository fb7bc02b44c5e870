/** The answer of `report verify` and of a conformance case (docs/conformance.md). */

import type { Refusal } from '../errors/report.ts'
import type { DescribedReport } from '../snp/describedReport.ts'
import type { TcbTable } from './explain.ts'
import type { Assurance } from './reference.ts'

/** The JSON that is printed, in this order. */
export type ReportResult = {
  readonly verdict: 'accepted' | 'authentic' | 'refused'
  readonly assurance: Assurance | null
  readonly reasons: readonly Refusal[]
  /** Null if the bytes are not a report. Until the report is authentic, only what the bytes claim. */
  readonly report: DescribedReport | null
  /** Id of the reference values that it matches, or that came nearest. */
  readonly reference: string | null
  readonly policy:
    | 'built-in'
    | 'none'
    | 'given'
    | { readonly seq: number; readonly signatures: 'not-checked' }
  /** The TCB against the floors of those reference values; null if there were none. */
  readonly tcb: TcbTable | null
  /** The fields that were not checked. */
  readonly unconstrained: readonly string[]
  readonly roots: 'amd' | 'replaced'
  readonly root: { readonly fingerprint: string; readonly simulated: boolean } | null
  readonly revocation: 'not-checked' | 'revoked' | RevocationList
  /** Null if the case states no time. */
  readonly at: string | null
}

type RevocationList = {
  readonly thisUpdate: string
  readonly nextUpdate: string
  /** cRLNumber, hex. */
  readonly number: string
  /** `at` is within its two times. */
  readonly current: boolean
  /** SHA-256 of the DER. */
  readonly digest: string
}
