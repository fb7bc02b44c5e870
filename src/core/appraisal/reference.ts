/** What a report is held against: the reference values of a policy, or (for looking at reports by hand) a built-in set. */
import type { z } from 'zod'
import type { Refusal } from '../errors.ts'
import type { VerifiedReport } from '../snp/verify.ts'
import type { UnixSeconds } from '../time.ts'
import type { Policy } from './policy.ts'
import type { ReferenceSchema } from './release.ts'

/** One approved release. A policy's has lists in every place; `any` is for `report verify`, which says so. */
export type Reference = z.output<typeof ReferenceSchema>

export type ReferenceValues = Pick<Policy, 'roots' | 'simulation'> & {
  readonly releases: readonly Reference[]
}

/** The report, and what else the rules look at. `trust` is undefined where no worker stands behind the report. */
export type Subject = {
  readonly verified: VerifiedReport
  readonly trust: string | undefined
  readonly at: UnixSeconds
  /** Ids of revoked releases. */
  readonly revoked: readonly string[]
}

/** What of a report is not as the release demands; nothing where it is. */
export type Rule = (subject: Subject, reference: Reference) => readonly Refusal[]

export type Assurance = Reference['assurance']

/** Higher is more: `platform` says what hardware and firmware run, `measured` also which code. */
const LEVELS: Readonly<Record<Assurance, number>> = { platform: 0, measured: 1 }

export function meetsAssurance(given: Assurance, demanded: Assurance): boolean {
  return LEVELS[given] >= LEVELS[demanded]
}

/** At most two values, so that a reason stays within the limits of an evidence entry. */
export function oneOf(values: readonly string[]): string {
  const shown = values.slice(0, 2).join(' or ')
  return values.length > 2 ? `${shown} or ${values.length - 2} more` : shown
}
