/** The Verifier's first steps, all pure: decode the request and check that the report binds its parts. */
import { bootOf } from '../boot/boot.ts'
import { fromBase64url, sameBytes, sha256, toBase64url, utf8 } from '../bytes.ts'
import { checkShape, parseJson } from '../canonical.ts'
import { CodedError, under } from '../errors.ts'
import { importJwk, thumbprint } from '../jwk.ts'
import { MAX_REQUEST_BYTES, type ReleaseJob, ReleaseJobsFormat, ReleaseRequest } from './request.ts'
import { type RuntimeData, RuntimeDataFormat, reportDataOf } from './runtimeData.ts'

/** Its schema admits eleven. A text with more is refused before it is parsed. */
const MAX_VALUES = 16

/** A decoded request, except its jobs, which are still base64url. Nothing in it is verified yet. */
export type ReadRequest = {
  readonly report: Buffer
  readonly certs: readonly Buffer[]
  readonly runtimeData: RuntimeData
  readonly runtimeDataBytes: Buffer
  readonly nonce: Buffer
  /** RFC 7638 thumbprint. */
  readonly wrapKey: string
  readonly clientAssertion: string
  /** A signature in base64url. */
  readonly possession: string
  readonly jobsText: string
}

/**
 * Leaves the jobs as they came: the one large part costs nothing until the nonce shows that somebody asked
 * for a challenge. Throws `request.malformed`.
 */
export function readRequest(body: Uint8Array): ReadRequest {
  if (body.byteLength > MAX_REQUEST_BYTES)
    throw new CodedError(
      'request.malformed',
      `the request has ${body.byteLength} bytes, the limit is ${MAX_REQUEST_BYTES}`,
    )
  return under('request.malformed', () => {
    const value = parseJson(body, 'request', MAX_VALUES)
    const request = checkShape(ReleaseRequest, value, 'request', 'request.malformed')
    const runtimeDataBytes = fromBase64url(request.runtimeData)
    const runtimeData = RuntimeDataFormat.decode(runtimeDataBytes)
    return {
      report: fromBase64url(request.evidence.report),
      certs: request.evidence.certs.map((cert) => fromBase64url(cert)),
      runtimeData,
      runtimeDataBytes,
      nonce: fromBase64url(runtimeData.nonce),
      wrapKey: thumbprint(runtimeData.wrapKey),
      clientAssertion: request.clientAssertion,
      possession: request.possession,
      jobsText: request.jobs,
    }
  })
}

/** What `jobsDigest` is about. Throws `request.malformed`. */
export function jobsBytesOf({ jobsText }: Pick<ReadRequest, 'jobsText'>): Buffer {
  return under('request.malformed', () => fromBase64url(jobsText, 'jobs'))
}

/** Throws `request.malformed`. */
export function readJobs(jobsBytes: Uint8Array): readonly ReleaseJob[] {
  return ReleaseJobsFormat.decode(jobsBytes)
}

/**
 * REPORT_DATA binds the runtime data, and the runtime data binds every other part. Throws
 * `report.data-mismatch` with the names of the unbound parts, and `request.malformed` for a wrap key that is
 * not on its curve.
 */
export function expectBinding(
  request: ReadRequest,
  jobsBytes: Uint8Array,
  { reportData, audience }: { readonly reportData: Uint8Array; readonly audience: string },
): void {
  const { runtimeData, runtimeDataBytes, clientAssertion } = request
  const parts: readonly (readonly [string, boolean])[] = [
    ['runtime data', sameBytes(reportDataOf(runtimeDataBytes), reportData)],
    ['aud', runtimeData.aud === audience],
    ['jobs', runtimeData.jobsDigest === toBase64url(sha256(jobsBytes))],
    ['assertion', runtimeData.assertion === toBase64url(sha256(utf8(clientAssertion)))],
    ['boot', runtimeData.boot === bootOf(runtimeData.evidenceKey)],
  ]
  const unbound = parts.filter(([, isBound]) => !isBound).map(([part]) => part)
  if (unbound.length > 0)
    throw new CodedError('report.data-mismatch', `the report does not bind: ${unbound.join(', ')}`)
  under('request.malformed', () => importJwk(runtimeData.wrapKey))
}
