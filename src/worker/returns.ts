/**
 * The codes that send a job back to the stream instead of setting it aside: another worker, or a later time,
 * may succeed. Each has a bound, after which the job is set aside.
 */
import { type ErrorCode, errorRow } from '#core/errors.ts'
import { type AttemptHistory, LONGEST_RETURN_SECONDS } from '#core/job/attempt.ts'
import { type Subject, subjectOf } from '#core/release/about.ts'

export type Bound = {
  /** Since the first attempt that ended with the code, so that no single answer decides. */
  readonly seconds: number
  /** Different boots that were refused, this one included. */
  readonly boots: number
  /** The code under which the job is set aside; null for the code itself. */
  readonly asideAs: ErrorCode | null
}

const MINUTE = 60
const DAY = 24 * 60 * MINUTE

/** About this worker and this object: another worker of the pool may be allowed to open it. */
const PAIR: Bound = { seconds: DAY, boots: 5, asideAs: null }
/** About now: a person may extend the window, the quota begins anew, a service comes back. */
const TIME: Bound = { seconds: 7 * DAY, boots: Number.POSITIVE_INFINITY, asideAs: 'job.expired' }
/** OCI says 404 or 403 too while a permission spreads, and 404 for objects that it has just stored. */
const SPREADING: Bound = { seconds: 10 * MINUTE, boots: Number.POSITIVE_INFINITY, asideAs: null }

/** What was read may have been altered on its way: the object is read once more, in another attempt. */
const SECOND_LOOK: Bound = { seconds: 1, boots: Number.POSITIVE_INFINITY, asideAs: null }
const OF_BYTES: Partial<Record<ErrorCode, Bound>> = {
  'object.malformed': SECOND_LOOK,
  'object.unsigned': SECOND_LOOK,
  'object.unopened': SECOND_LOOK,
}

/** Of a job that the Verifier refuses. */
const OF_REFUSALS: Readonly<Record<Subject, Bound | undefined>> = {
  worker: TIME,
  pair: PAIR,
  time: TIME,
  object: undefined,
}

/** Of a job that fails in this worker, about its object or its grant. */
const OF_FAILURES: Partial<Record<ErrorCode, Bound>> = {
  'grant.expired': TIME,
  'service.denied': SPREADING,
  'service.missing': SPREADING,
  'signer.unregistered': { ...SPREADING, asideAs: 'result.foreign' },
}

const FIRST_RETURN_SECONDS = 10

/** What the attempts at a job tell when this one ends. */
export type Standing = {
  readonly history: Pick<AttemptHistory, 'givenBack'>
  readonly boot: string
  /** The Verifier's time. */
  readonly now: number
}

/** Undefined for a code that no other worker and no later time changes. */
export function boundOfRefusal(code: ErrorCode): Bound | undefined {
  return OF_BYTES[code] ?? OF_REFUSALS[subjectOf(code)]
}

/** Undefined for a code that no later time changes, and for one that stops the worker. */
export function boundOfFailure(code: ErrorCode): Bound | undefined {
  return OF_BYTES[code] ?? OF_FAILURES[code] ?? (errorRow(code).disposition === 'retry' ? TIME : undefined)
}

/** True if the job has been sent back long enough, or by enough boots. */
export function isOver(
  { seconds, boots }: Bound,
  code: ErrorCode,
  { history, boot, now }: Standing,
): boolean {
  const before = history.givenBack.filter((attempt) => attempt.code === code)
  const since = Math.min(now, ...before.map(({ at }) => at))
  return now - since >= seconds || new Set([boot, ...before.map((attempt) => attempt.boot)]).size >= boots
}

/** Ten seconds, then twice as long each time, at most ten minutes. */
export function returnSeconds({ givenBack }: Pick<AttemptHistory, 'givenBack'>): number {
  return Math.min(FIRST_RETURN_SECONDS * 2 ** Math.min(givenBack.length, 16), LONGEST_RETURN_SECONDS)
}
