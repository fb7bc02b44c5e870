/** What an audit says. Times are seconds since the epoch, as the logs have them. */
import type { ErrorCode } from '../../errors.ts'
import type { Finding } from './finding.ts'

export type LogReport = {
  readonly role: 'worker' | 'verifier'
  readonly boot: string
  /** `open`: no log.closed; the process still runs, or died without a word. */
  readonly status: 'open' | 'closed'
  readonly registered: boolean
  readonly simulation: boolean
  /** A claim of the program about itself. */
  readonly software: string | null
  /** From the registration of a worker. */
  readonly measurement: string | null
  readonly assurance: 'measured' | 'platform' | null
  /** Entries under the last checkpoint that was found true, its root, and how many checkpoints were. */
  readonly size: number
  readonly root: string
  readonly checkpoints: number
  /** Entries behind that checkpoint: written, never signed. */
  readonly unsealed: number
  readonly openedAt: number | null
  readonly lastAt: number | null
}

/**
 * `abandoned`: the worker died with the key. `undelivered`: it never acknowledged the key. `withheld`: decided, but
 * the Verifier failed to issue it. `unended`: the Verifier's log does not say. The others are the worker's own words.
 */
export type ReleaseStatus =
  | 'visible'
  | 'superseded'
  | 'foreign'
  | 'failed'
  | 'returned'
  | 'dead-lettered'
  | 'abandoned'
  | 'undelivered'
  | 'withheld'
  | 'unended'

export type AllowedRelease = {
  readonly kind: 'allowed'
  readonly releaseId: string
  readonly time: number
  readonly log: string
  readonly index: number
  readonly boot: string
  readonly client: string
  readonly purpose: string
  readonly permission: string
  readonly dataset: string
  readonly objects: number
  readonly reference: string
  readonly assurance: 'measured' | 'platform'
  readonly disclosure: boolean
  readonly policySeq: number
  readonly status: ReleaseStatus
  /** Why it failed or was withheld. */
  readonly code: ErrorCode | null
  readonly resultId: string | null
  /** The other release of the same objects and permission that ended with a result. */
  readonly finishedBy: string | null
  /** Whether its job was put into the dead-letter stream, by whichever worker. */
  readonly setAside: boolean
}

export type RefusedRelease = {
  readonly kind: 'refused'
  readonly denialId: string
  readonly time: number
  readonly log: string
  readonly index: number
  readonly boot: string | null
  readonly client: string | null
  readonly objects: number
  readonly measurement: string
  readonly reasons: readonly {
    readonly code: ErrorCode
    readonly field: string
    readonly expected: string
    readonly actual: string
    readonly remedy: string
  }[]
}

export type ResultReport = {
  readonly resultId: string
  readonly releaseId: string
  readonly boot: string
  readonly committedAt: number
  readonly parts: number
  /** Whether the parts were in the collection and are the manifest's. */
  readonly content: 'checked' | 'not in the collection' | 'wrong'
}

export type EvidenceReport = {
  readonly v: 1
  readonly verdict: 'intact' | 'incomplete' | 'broken'
  readonly simulation: boolean
  /** Whether someone other than the writers has seen the logs grow. */
  readonly witnessed: 'unwitnessed'
  readonly findings: readonly Finding[]
  /** Findings beyond the limit, which are counted alone. */
  readonly findingsOmitted: number
  readonly logs: readonly LogReport[]
  readonly releases: readonly (AllowedRelease | RefusedRelease)[]
  /** Requests that failed before anything in them was authentic, by code. */
  readonly turnedAway: readonly { readonly code: ErrorCode; readonly count: number }[]
  readonly results: readonly ResultReport[]
}
