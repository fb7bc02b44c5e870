/** The refusal of a worker as a whole. */
import { CodedError } from '#core/errors.ts'
import type { RefusalBody } from '#core/release/request.ts'

/** Stages of the Verifier's work that judge the worker; the later ones judge the job. */
const ABOUT_THE_WORKER: readonly RefusalBody['stage'][] = [
  'request',
  'binding',
  'assertion',
  'evidence',
  'appraisal',
]

export function isAboutWorker({ retryable, stage }: RefusalBody): boolean {
  return !retryable && ABOUT_THE_WORKER.includes(stage)
}

/** No job of the batch has ended, and this worker can end none. */
export class WorkerRefused extends CodedError {
  readonly denialId: string

  constructor(refusal: RefusalBody) {
    super(refusal.code, refusal.title)
    this.name = 'WorkerRefused'
    this.denialId = refusal.denialId
  }
}
