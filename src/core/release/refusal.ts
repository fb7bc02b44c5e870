/** A refusal on the wire: a code and an id, never the explanation, which is the provider's. */

import { checkShape } from '../canonical.ts'
import { CodedError, type ErrorCode, errorRow } from '../errors.ts'
import { RefusalBody } from './request.ts'

export function refusalBody(code: ErrorCode, denialId: string): RefusalBody {
  const { disposition, http, meaning, stage } = errorRow(code)
  return {
    type: `urn:confidential-worker:error:${code}`,
    title: meaning,
    status: http,
    code,
    // A code that belongs to no step is about the request as a whole.
    stage: stage ?? 'request',
    retryable: disposition === 'retry',
    denialId,
  }
}

/** The refusal of a whole request, as its sender meets it. */
export class RequestRefused extends CodedError {
  readonly denialId: string

  constructor(body: RefusalBody) {
    // The schema of the body admits no other code.
    super(
      body.code as ErrorCode,
      `the Verifier refuses the request at ${body.stage}, denial ${body.denialId}`,
    )
    this.name = 'RequestRefused'
    this.denialId = body.denialId
  }
}

/** Throws `code` unless the value is the body of a refusal. */
export function parseRefusal(value: unknown, code: ErrorCode): RefusalBody {
  return checkShape(RefusalBody, value, 'refusal', code)
}
