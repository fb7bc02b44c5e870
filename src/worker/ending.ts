/** What a job's outcome means for the job: one total function, without I/O, that the round carries out. */
import { codeOf, type ErrorCode, errorRow } from '#core/errors.ts'
import type { RefusalBody } from '#core/release/request.ts'
import type { Published } from './publication.ts'

/** How far one job came in one round. */
export type Outcome =
  | { readonly kind: 'published'; readonly published: Published }
  /** For good: what may be asked again has failed, with the refusal's code. */
  | { readonly kind: 'refused'; readonly refusal: RefusalBody; readonly headerDigests: readonly string[] }
  | {
      readonly kind: 'failed'
      readonly error: unknown
      /** Null before the release: the evidence then says nothing of a key. */
      readonly releaseId: string | null
      /** Attempts that were claimed; 0 before the first. */
      readonly attempts: number
      /** Of the job's objects, if their headers were read. */
      readonly headerDigests: readonly string[]
    }

/** What the round does about it. */
export type Move =
  /** The job has its result. */
  | { readonly kind: 'finish'; readonly as: Published['kind']; readonly resultId: string }
  /** Ask again in the next round. */
  | { readonly kind: 'wait' }
  /** To the dead letters: this job will never succeed. */
  | {
      readonly kind: 'set-aside'
      readonly as: 'refused' | 'failed'
      readonly code: ErrorCode
      readonly attempts: number
      readonly denialId: string | null
      readonly headerDigests: readonly string[]
    }
  /** Back to the stream: the fault may be of the moment, and the attempts bound how often. */
  | { readonly kind: 'put-back'; readonly code: ErrorCode }
  /** The worker can no longer vouch for itself: the batch is not committed. */
  | { readonly kind: 'stop'; readonly error: unknown }

export function moveFor(outcome: Outcome): Move {
  switch (outcome.kind) {
    case 'published':
      return { kind: 'finish', as: outcome.published.kind, resultId: outcome.published.resultId }
    case 'refused':
      return {
        kind: 'set-aside',
        as: 'refused',
        code: outcome.refusal.code,
        attempts: 0,
        denialId: outcome.refusal.denialId,
        headerDigests: outcome.headerDigests,
      }
    case 'failed':
      return moveForFailure(outcome)
  }
}

function moveForFailure({ error, attempts, headerDigests }: Extract<Outcome, { kind: 'failed' }>): Move {
  const code = codeOf(error)
  switch (errorRow(code).disposition) {
    case 'retry':
      return { kind: 'wait' }
    case 'reject':
      return { kind: 'set-aside', as: 'failed', code, attempts, denialId: null, headerDigests }
    case 'stop':
      return code === 'internal.fault' ? { kind: 'put-back', code } : { kind: 'stop', error }
  }
}
