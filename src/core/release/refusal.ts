/** A refusal on the wire: a code and an id, never the explanation, which is the provider's. */

import { checkShape } from '../canonical.ts'
import { CodedError, type ErrorCode, errorRow } from '../errors.ts'
import { RefusalBody } from './request.ts'

type Stage = RefusalBody['stage']

/** Where in the order of work a code is given; by the longest prefix. */
const STAGES: readonly (readonly [prefix: string, stage: Stage])[] = [
  ['report.data-mismatch', 'binding'],
  ['grant.', 'grant'],
  ['permission.', 'grant'],
  ['object.', 'grant'],
  ['scope.', 'grant'],
  ['quota.', 'grant'],
  ['assurance.', 'grant'],
  ['nonce.', 'nonce'],
  ['assertion.', 'assertion'],
  ['report.', 'evidence'],
  ['chain.', 'evidence'],
  ['measurement.', 'appraisal'],
  ['reference.', 'appraisal'],
  ['product.', 'appraisal'],
  ['root.', 'appraisal'],
  ['tcb.', 'appraisal'],
  ['guest-policy.', 'appraisal'],
  ['platform-info.', 'appraisal'],
  ['vmpl.', 'appraisal'],
  ['chip.', 'appraisal'],
  ['trust.', 'appraisal'],
  ['boot.', 'appraisal'],
  ['signing-key.', 'appraisal'],
  ['key.', 'custody'],
  ['service.', 'custody'],
  ['internal.', 'custody'],
]

export function refusalBody(code: ErrorCode, denialId: string): RefusalBody {
  const { disposition, http, meaning } = errorRow(code)
  return {
    type: `urn:confidential-worker:error:${code}`,
    title: meaning,
    status: http,
    code,
    stage: STAGES.find(([prefix]) => code.startsWith(prefix))?.[1] ?? 'request',
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
