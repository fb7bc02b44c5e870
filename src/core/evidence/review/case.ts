/**
 * One recorded request with everything that the Verifier's log and record say of it. Plain data, so that a
 * thread can review it.
 */

import type { Policy } from '../../policy/policy.ts'
import type { RevocationUnion } from '../../policy/revocationUnion.ts'
import type { GrantCa } from '../../policy/verifierKeys.ts'
import type { FindingCode } from '../audit/finding.ts'
import type { Entry } from '../entry.ts'

type EntryOf<Event extends Entry['event']> = Extract<Entry, { event: Event }>
export type Placed<Event extends Entry['event']> = { readonly index: number; readonly entry: EntryOf<Event> }

export type RecordedCase = {
  /** Of the Verifier's log. */
  readonly boot: string
  readonly worker: Placed<'worker.accepted' | 'worker.refused'>
  /** In the order of the log, which is that of the jobs. */
  readonly decided: readonly Placed<'release.decided'>[]
  readonly refused: readonly Placed<'release.refused'>[]
  readonly issued: readonly Placed<'release.issued'>[]
  /** False if entries of the log are lost: a job may then have lost its decision. */
  readonly whole: boolean
}

/** The objects of the record that the case names, by digest. An absent one is not in it. */
export type CaseObjects = ReadonlyMap<string, Uint8Array>

/** What the Verifier's log says was in force. */
export type CaseRules = {
  readonly policy: Policy
  readonly revocation: Pick<RevocationUnion, 'referenceValues' | 'objects' | 'boots' | 'permissions'>
  /** Every grant CA that was ever certified. */
  readonly grantCas: readonly GrantCa[]
}

/** Of one entry of the case. */
export type Problem = { readonly code: FindingCode; readonly index: number; readonly text: string }
