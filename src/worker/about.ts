/**
 * What of the Verifier's answers decides about this worker. Only a signed refusal does, if its code is about
 * the worker (core/release/about.ts). Anything that is not proven may only delay.
 */
import { CodedError, codeOf, type ErrorCode } from '#core/errors.ts'
import { subjectOf } from '#core/release/about.ts'
import { RequestRefused } from '#core/release/refusal.ts'

/** The request as a whole is refused for now: the worker is not, and asks again. */
export function isForNow(error: unknown): boolean {
  return error instanceof RequestRefused && subjectOf(error.code) === 'time'
}

const UNDECIDED: readonly ErrorCode[] = [
  'refusal.unsigned',
  'refusal.unknown',
  'verifier.untrusted',
  'grant.invalid',
  'grant.stale',
]

/**
 * An answer that decides nothing: the provider root does not prove it, or its code is not known. The worker
 * waits as in an outage; since the cause may be this worker alone, it does not keep jobs for longer than a
 * batch lasts.
 */
export function isUndecided(error: unknown): boolean {
  return error instanceof CodedError && UNDECIDED.includes(codeOf(error))
}
