/**
 * What a refusal is about, by code. A worker follows its own table: the Verifier's word (`about` in the refusal)
 * is for people.
 *
 * - `worker`: said of a request as a whole, this worker parks. Said of one job it is not believed, so that no
 *   object can park a pool: the job waits.
 * - `pair`: this worker and this object. Another worker may be allowed to open it.
 * - `time`: a later time changes it.
 * - `object`: no worker and no time changes it.
 */

import { APPRAISAL_ERRORS, EVIDENCE_ERRORS } from '../errors/report.ts'
import { type ErrorCode, isErrorCode } from '../errors.ts'

export const SUBJECT_NAMES = ['worker', 'pair', 'time', 'object'] as const
export type Subject = (typeof SUBJECT_NAMES)[number]

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
    'boot.unregistered',
    'checkpoint.unsigned',
    'checkpoint.forked',
  ],
  pair: ['permission.none', 'assurance.insufficient', 'scope.invalid', 'scope.exceeded', 'intent.mismatched'],
  time: [
    'nonce.invalid',
    'nonce.expired',
    'nonce.spent',
    'permission.expired',
    'consent.none',
    'grant.expired',
    'grant.invalid',
    'grant.stale',
    'quota.exceeded',
    'checkpoint.behind',
    'checkpoint.unreadable',
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
    'set.incomplete',
    'object.changed',
    'object.withdrawn',
    'key.unopened',
    'result.committed',
  ],
}

const SUBJECT_OF: ReadonlyMap<string, Subject> = new Map(
  SUBJECT_NAMES.flatMap((subject) => SUBJECTS[subject].map((code) => [code, subject])),
)

/** A code that is not in the table is `time`: what is not understood may only delay. */
export function subjectOf(code: string): Subject {
  return SUBJECT_OF.get(code) ?? 'time'
}

/** The code, if this version has a row for it: an unknown one is known as that. */
export function knownCode(code: string): ErrorCode {
  return SUBJECT_OF.has(code) && isErrorCode(code) ? code : 'refusal.unknown'
}
