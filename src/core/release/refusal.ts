/**
 * A refusal on the wire: a code and an id, never the explanation, which is the provider's. The grant key signs
 * it once the request is authentic: before, anyone between could have made a good request a bad one. What is
 * not signed decides nothing; a worker waits.
 */
import { z } from 'zod'
import { toBase64url } from '../bytes.ts'
import { checkShape, defineFormat } from '../canonical.ts'
import { STAGES } from '../errors/coded.ts'
import { CodedError, type ErrorCode, errorRow } from '../errors.ts'
import { base64urlBytes, count, randomId, refusalCode, version1 } from '../fields.ts'
import { defineSigned, type Signer, signCompact } from '../jws.ts'
import { SUBJECT_NAMES, subjectOf } from './about.ts'
import { NONCE_BYTES } from './nonce.ts'

const Schema = z.strictObject({
  v: version1,
  nonce: base64urlBytes(NONCE_BYTES),
  /** The index of the job in the request; null for the request as a whole. */
  job: count.nullable(),
  code: refusalCode,
  /** The Verifier's word, for people: a worker follows its own table (about.ts). */
  about: z.enum(SUBJECT_NAMES),
  denialId: randomId,
})

export const RefusalFormat = defineSigned(
  'cw-refusal',
  defineFormat({ name: 'refusal', maxBytes: 1024, code: 'verifier.untrusted', schema: Schema }),
)

/** A code of this version, and the id of the decision. */
export type Denial = { readonly code: ErrorCode; readonly denialId: string }

export async function signRefusal(
  { code, denialId }: Denial,
  { nonce, job }: { readonly nonce: Uint8Array; readonly job: number | null },
  grantKey: Signer,
): Promise<string> {
  const refusal = { v: 1, nonce: toBase64url(nonce), job, code, about: subjectOf(code), denialId } as const
  return await signCompact(RefusalFormat, refusal, grantKey)
}

/** Problem details of RFC 9457. */
export const Problem = z.strictObject({
  type: z.string().startsWith('urn:confidential-worker:error:'),
  title: z.string(),
  status: z.int().min(400).max(599),
  code: refusalCode,
  stage: z.enum(STAGES),
  retryable: z.boolean(),
  denialId: randomId,
})
export type Problem = z.output<typeof Problem> & { readonly code: ErrorCode }

export function problemOf(code: ErrorCode, denialId: string): Problem {
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

/** Of the other members nothing is believed. */
const ReceivedProblem = z.object({ code: refusalCode, denialId: randomId })
export type ReceivedProblem = z.output<typeof ReceivedProblem>

/** Throws `code` unless the value is a problem of a Verifier. */
export function parseProblem(value: unknown, code: ErrorCode): ReceivedProblem {
  return checkShape(ReceivedProblem, value, 'refusal', code)
}

/** The refusal of a whole request. */
export class RequestRefused extends CodedError {
  readonly denialId: string

  constructor({ code, denialId }: Denial, message = `the Verifier refuses the request, denial ${denialId}`) {
    super(code, message)
    this.name = 'RequestRefused'
    this.denialId = denialId
  }
}
