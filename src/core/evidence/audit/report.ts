/** The report of an audit. Times are seconds since the epoch, as in the logs. */
import type { ErrorCode, Refusal } from '../../errors.ts'
import type { Policy } from '../../policy/policy.ts'
import type { Counts, Entry } from '../entry.ts'
import type { Finding } from './finding.ts'

export type LogReport = {
  readonly role: 'worker' | 'verifier'
  readonly boot: string
  /** `open`: without log.closed, so the process still runs or died. */
  readonly status: 'open' | 'closed'
  readonly registered: boolean
  readonly simulation: boolean
  /** The program's claim about itself. */
  readonly software: string | null
  /** From the registration of a worker. */
  readonly client: string | null
  readonly reference: string | null
  readonly measurement: string | null
  readonly assurance: 'measured' | 'platform' | null
  /**
   * Number of entries under the last consistent checkpoint, its root, and the number of signed checkpoints.
   */
  readonly size: number
  readonly root: string
  readonly checkpoints: number
  /** Number of entries after that checkpoint: written, but not signed. */
  readonly unsealed: number
  readonly openedAt: number | null
  readonly lastAt: number | null
}

/**
 * `abandoned`: the worker died with the key. `undelivered`: it never acknowledged the key. `withheld`:
 * decided, but the Verifier failed to issue it. `interrupted`: its Verifier died before it could issue it.
 * `unended`: the Verifier's log has no end. The others come from the worker's log.
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
  | 'interrupted'
  | 'unended'

/** An entry about a release, in the order of its life. */
export type ReleaseStep = {
  readonly event: Entry['event']
  readonly time: number
  readonly log: string
  readonly index: number
}

export type AllowedRelease = {
  readonly kind: 'allowed'
  readonly releaseId: string
  /** Of its job: several releases of one job have the same trace. */
  readonly traceparent: string
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
  /** The reason for failing or withholding. */
  readonly code: ErrorCode | null
  readonly resultId: string | null
  /** Of a visible result: what the filter read, kept and withheld. Null without the audit key, or if it opens nothing. */
  readonly counts: Counts | null
  /** The other release of the same objects and permission that ended with a result. */
  readonly finishedBy: string | null
  /** True if any worker put its job into the dead-letter stream. */
  readonly setAside: boolean
  readonly steps: readonly ReleaseStep[]
}

export type RefusedRelease = {
  readonly kind: 'refused'
  readonly denialId: string
  readonly time: number
  readonly log: string
  readonly index: number
  readonly boot: string | null
  readonly client: string | null
  readonly purpose: string | null
  readonly objects: number
  /** Of its jobs, each once; the first 16. */
  readonly traceparents: readonly string[]
  readonly measurement: string | null
  /** The policy in force, and the number of revocation lists that the log had named by then. */
  readonly policySeq: number | null
  readonly revocationSeq: number | null
  readonly reasons: readonly Refusal[]
  /** How far the worker was from the nearest reference values, nearest first; empty if it matched some. */
  readonly nearest: readonly {
    readonly reference: string
    readonly differences: number
    readonly fields: readonly string[]
  }[]
  /** The reference values that the worker matched; null if it was refused as a whole. */
  readonly reference: string | null
  /** The limit that refused it. */
  readonly quota: RefusedQuota | null
  /** The jobs whose workers log this denial. The log of an unregistered worker does not count. */
  readonly denied: readonly {
    readonly log: string
    readonly jobId: string
    readonly traceparent: string
  }[]
}

type RefusedQuota = {
  readonly permission: string
  readonly unit: string
  readonly limit: number
  readonly used: number
  readonly asked: number
  readonly ends: number
}

/** A job on the dead-letter stream, by its newest entry. */
export type SetAsideJob = {
  readonly jobId: string
  readonly log: string
  readonly index: number
  readonly time: number
  readonly code: ErrorCode
  readonly attempts: number
  /** The result that its objects have by now. It is then no one's work, and no finding. */
  readonly overtakenBy: string | null
}

export type ResultReport = {
  readonly resultId: string
  readonly releaseId: string
  readonly boot: string
  readonly committedAt: number
  readonly parts: number
  /** The outcome of comparing the parts with the manifest. */
  readonly content: 'checked' | 'not in the collection' | 'wrong'
}

/** A policy that some log had in force, with the persons who signed it. */
export type PolicyReport = {
  readonly seq: number
  readonly digest: string
  readonly signers: readonly string[]
  readonly policy: Policy
}

export type EvidenceReport = {
  readonly v: 1
  /** `consistent`: intact, under a root that came with the collection: anyone may have made both. */
  readonly verdict: 'intact' | 'consistent' | 'incomplete' | 'broken'
  readonly simulation: boolean
  /** `witnessed`: a Verifier has cosigned a part of each registered worker's log. */
  readonly witnessed: 'witnessed' | 'unwitnessed'
  /** Of all, also those that are not listed below. */
  readonly totals: { readonly allowed: number; readonly refused: number; readonly results: number }
  readonly findings: readonly Finding[]
  /** Number of findings beyond the limit. */
  readonly findingsOmitted: number
  /** By their numbers. */
  readonly policies: readonly PolicyReport[]
  readonly logs: readonly LogReport[]
  /** The newest ones, as many of each kind as were asked for. */
  readonly releases: readonly (AllowedRelease | RefusedRelease)[]
  /** Requests that failed before anything in them was authentic, by code. */
  readonly turnedAway: readonly { readonly code: ErrorCode; readonly count: number }[]
  readonly results: readonly ResultReport[]
  readonly setAside: readonly SetAsideJob[]
}
