/** The answer of `report verify` and of a conformance case (docs/conformance.md): the JSON that is printed, in this order. */

import type { Refusal } from '../errors/report.ts'
import type { DescribedReport } from '../snp/describedReport.ts'
import type { TcbTable } from './explain.ts'
import type { Assurance } from './reference.ts'

export type ReportResult = {
  readonly verdict: 'accepted' | 'authentic' | 'refused'
  readonly assurance: Assurance | null
  readonly reasons: readonly Refusal[]
  /** Null where the bytes are no report; before it is authentic, only what the bytes claim. */
  readonly report: DescribedReport | null
  /** The reference that it matches, or that came nearest. */
  readonly reference: string | null
  readonly policy:
    | 'built-in'
    | 'none'
    | 'given'
    | { readonly seq: number; readonly signatures: 'not-checked' }
  /** The TCB against the floors of that reference; null where it was held against none. */
  readonly tcb: TcbTable | null
  /** What was held against nothing. */
  readonly unconstrained: readonly string[]
  readonly roots: 'amd' | 'replaced'
  readonly root: { readonly fingerprint: string; readonly simulated: boolean } | null
  readonly revocation: 'not-checked' | 'revoked' | RevocationList
  /** Null where the case does not say. */
  readonly at: string | null
}

export type RevocationList = {
  readonly thisUpdate: string
  readonly nextUpdate: string
  /** cRLNumber, hex. */
  readonly number: string
  /** `at` is within its two times. */
  readonly current: boolean
  /** SHA-256 of the DER. */
  readonly digest: string
}
