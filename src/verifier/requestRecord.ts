/**
 * An authentic request as the evidence keeps it: everything that its verification and its decision rest on,
 * apart from policy and revocations, which are governance documents.
 */
import { toBase64url } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { type Recorded, RequestRecordFormat, recorded } from '#core/evidence/record.ts'
import type { TrustStore } from '#core/snp/chain.ts'
import type { AuthenticRequest } from './authenticate.ts'

export type RecordedRequest = {
  readonly digest: string
  /** The request, its certificates and its revocation list. */
  readonly objects: readonly Recorded[]
}

export function recordRequest(
  { request, verified, crl, time }: Pick<AuthenticRequest, 'request' | 'verified' | 'crl' | 'time'>,
  roots: Pick<TrustStore, 'roots' | 'entries'>,
): RecordedRequest {
  const root =
    roots.entries[roots.roots.findIndex(({ fingerprint }) => fingerprint === verified.endorsement.root)]
  if (root === undefined) throw new CodedError('internal.fault', 'a chain ends at a root that is not held')
  const objects: Recorded[] = []
  const keep = (kind: 'certificate' | 'crl', der: Uint8Array): string => {
    const object = recorded(kind, der)
    objects.push(object)
    return object.digest
  }
  const bytes = RequestRecordFormat.encode({
    v: 1,
    time,
    report: toBase64url(request.report),
    certs: request.certs.map((der) => keep('certificate', der)),
    root: {
      product: root.product,
      ark: keep('certificate', root.ark),
      ask: root.ask === undefined ? null : keep('certificate', root.ask),
      asvk: root.asvk === undefined ? null : keep('certificate', root.asvk),
    },
    crl: crl === undefined ? null : keep('crl', crl.der),
    runtimeData: toBase64url(request.runtimeDataBytes),
    clientAssertion: request.clientAssertion,
    possession: request.possession,
    jobs: request.jobsText,
  })
  const own = recorded('request', bytes)
  return { digest: own.digest, objects: [...objects, own] }
}
