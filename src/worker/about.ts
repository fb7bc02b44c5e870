/**
 * What a refusal of the Verifier is about, by the worker's own table: the Verifier's word is not asked.
 *
 * - `worker`: said of a request as a whole, this worker parks. Said of one job it is not believed, so that no
 *   object can park a pool: the job waits.
 * - `pair`: this worker and this object. Another worker may be allowed to open it.
 * - `time`: a later time changes it.
 * - `object`: no worker and no time changes it.
 */

import { APPRAISAL_ERRORS, EVIDENCE_ERRORS } from '#core/errors/report.ts'
import { type ErrorCode, isErrorCode } from '#core/errors.ts'
import { RequestRefused } from '#core/release/refusal.ts'

export type Subject = 'worker' | 'pair' | 'time' | 'object'

/** Each code that a step of the Verifier gives, once. */
export const SUBJECTS: Readonly<Record<Subject, readonly ErrorCode[]>> = {
  worker: [
    ...[...Object.keys(EVIDENCE_ERRORS), ...Object.keys(APPRAISAL_ERRORS)].filter(isErrorCode),
    'request.malformed',
    'report.data-mismatch',
    'possession.invalid',
    'assertion.invalid',
    'boot.mismatch',
    'client.none',
    'grant.invalid',
  ],
  pair: ['permission.none', 'assurance.insufficient', 'scope.invalid', 'scope.exceeded'],
  time: [
    'nonce.invalid',
    'nonce.expired',
    'nonce.spent',
    'permission.expired',
    'grant.expired',
    'quota.exceeded',
    'clock.skewed',
    'client.busy',
    'policy.none',
    'policy.stale',
    'policy.changed',
    'policy.invalid',
    'verifier.unavailable',
    'internal.fault',
    'service.unavailable',
    'service.denied',
    'service.conflict',
    'service.missing',
    'service.failed',
  ],
  object: [
    'object.malformed',
    'object.unsigned',
    'object.unopened',
    'object.misplaced',
    'object.changed',
    'object.withdrawn',
    'key.unopened',
  ],
}

const SUBJECT_OF: ReadonlyMap<string, Subject> = new Map(
  (['worker', 'pair', 'time', 'object'] as const).flatMap((subject) =>
    SUBJECTS[subject].map((code) => [code, subject]),
  ),
)

/** A code that is not in the table is `time`: what is not understood may only delay. */
export function subjectOf(code: string): Subject {
  return SUBJECT_OF.get(code) ?? 'time'
}

/** The request as a whole is refused for now: the worker is not, and asks again. */
export function isForNow(error: unknown): boolean {
  return error instanceof RequestRefused && subjectOf(error.code) === 'time'
}
