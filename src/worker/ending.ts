/** What a job's outcome means for the job: one total function, without I/O, that the pass carries out. */
import { codeOf, type ErrorCode, errorRow } from '#core/errors.ts'
import type { Denial } from '#core/release/refusal.ts'
import { placeRefusal } from './places.ts'
import type { Published } from './publication.ts'
import {
  type Bound,
  boundOfFailure,
  boundOfRefusal,
  isOver,
  returnSeconds,
  type Standing,
} from './returns.ts'
import { PermitRefused } from './witness.ts'

/** How far one job came in one pass. */
export type WorkOutcome =
  | { readonly kind: 'published'; readonly published: Published }
  /** What may be asked again at once has failed, with the refusal's code. */
  | {
      readonly kind: 'refused'
      readonly denial: Denial
      readonly headerDigests: readonly string[]
      readonly standing: Standing
    }
  | {
      readonly kind: 'failed'
      readonly error: unknown
      /** Null before the release: the evidence then says nothing of a key. */
      readonly releaseId: string | null
      /** Attempts that were claimed; 0 before the first. */
      readonly attempts: number
      /** Of the job's objects, if their headers were read. */
      readonly headerDigests: readonly string[]
      readonly standing: Standing
    }

/** What the pass does about it: a move of the job's life, with what the move needs. */
export type Move =
  /** The job has its result. */
  | { readonly kind: 'finish'; readonly as: Published['kind']; readonly resultId: string }
  /** In the next pass. */
  | { readonly kind: 'ask-again' }
  /** To the dead letters: this job will never succeed. */
  | {
      readonly kind: 'set-aside'
      readonly as: 'refused' | 'failed'
      readonly code: ErrorCode
      readonly attempts: number
      readonly denialId: string | null
      readonly headerDigests: readonly string[]
    }
  /** Back to the stream. `put-back` does not count as an attempt, and has its own bound. */
  | {
      readonly kind: 'put-back' | 'try-again'
      readonly code: ErrorCode
      /** Until it may run again. */
      readonly seconds: number
    }
  /** The worker can end no job: the batch is not committed. */
  | { readonly kind: 'give-back'; readonly error: unknown }

/** Where an outcome leaves the job. */
export function stateAfter(outcome: WorkOutcome): 'visible' | 'denied' | 'keyed' | 'claimed' {
  if (outcome.kind === 'published') return 'visible'
  if (outcome.kind === 'refused') return 'denied'
  return outcome.releaseId === null ? 'claimed' : 'keyed'
}

/** `isLate`: the batch has lasted long enough, so no job waits in it any more. */
export function moveFor(outcome: WorkOutcome, isLate: boolean): Move {
  switch (outcome.kind) {
    case 'published':
      return { kind: 'finish', as: outcome.published.kind, resultId: outcome.published.resultId }
    case 'refused':
      return moveForRefusal(outcome)
    case 'failed':
      return moveForFailure(outcome, isLate)
  }
}

function moveForRefusal(outcome: Extract<WorkOutcome, { kind: 'refused' }>): Move {
  const { denial, headerDigests, standing } = outcome
  const { code, denialId } = denial
  const bound = boundOfRefusal(code)
  return (
    putBackWithin(bound, code, standing) ?? {
      kind: 'set-aside',
      as: 'refused',
      code: bound?.asideAs ?? code,
      attempts: 0,
      denialId,
      headerDigests,
    }
  )
}

function moveForFailure(outcome: Extract<WorkOutcome, { kind: 'failed' }>, isLate: boolean): Move {
  const { error, attempts, headerDigests, standing } = outcome
  // Nothing is wrong with the job, and no job can end here.
  const refusal = placeRefusal(error)
  if (refusal !== undefined) return { kind: 'give-back', error: refusal }
  const code = codeOf(error)
  const { disposition } = errorRow(code)
  if (disposition === 'retry' && !isLate) return { kind: 'ask-again' }
  // What the Verifier says of one result is as what it says of one release.
  const bound = error instanceof PermitRefused ? boundOfRefusal(code) : boundOfFailure(code)
  const putBack = putBackWithin(bound, code, standing)
  if (putBack !== undefined) return putBack
  if (disposition === 'reject' || bound !== undefined) {
    const aside = bound?.asideAs ?? code
    const denialId = error instanceof PermitRefused ? error.denialId : null
    return { kind: 'set-aside', as: 'failed', code: aside, attempts, denialId, headerDigests }
  }
  if (code !== 'internal.fault') return { kind: 'give-back', error }
  // A fault of our own may be of the moment; the attempts bound how often.
  return { kind: 'try-again', code, seconds: returnSeconds(standing.history) }
}

function putBackWithin(bound: Bound | undefined, code: ErrorCode, standing: Standing): Move | undefined {
  if (bound === undefined || isOver(bound, code, standing)) return undefined
  return { kind: 'put-back', code, seconds: returnSeconds(standing.history) }
}
