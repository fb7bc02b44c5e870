/**
 * The proof of a request, in two steps: the report binds its parts, and each part is signed by its claimed
 * author. The Verifier takes them before it decides, an auditor takes the same ones years later.
 */
import type { P384Jwk } from '../jwk.ts'
import type { TrustStore } from '../snp/chain.ts'
import type { Crl } from '../snp/crl.ts'
import { parseReport, type Report } from '../snp/report.ts'
import { type VerifiedReport, verifyReport } from '../snp/verify.ts'
import type { UnixSeconds } from '../time.ts'
import { type VerifiedAsker, verifyAssertion } from './assertion.ts'
import { expectBinding, jobsBytesOf, type ReadRequest, readJobs } from './binding.ts'
import { expectPossession } from './possession.ts'
import type { ReleaseJob } from './request.ts'

/** A request whose report binds its parts. Nothing says yet that the report is genuine. */
export type BoundRequest = { readonly request: ReadRequest; readonly report: Report; readonly jobs: Buffer }

export type ProvenRequest = {
  readonly request: ReadRequest & { readonly jobs: readonly ReleaseJob[] }
  readonly asker: VerifiedAsker
  readonly verified: VerifiedReport
}

/** Throws the codes of `parseReport`, `expectBinding` and `expectPossession`. */
export function bindRequest(request: ReadRequest, audience: string): BoundRequest {
  const report = parseReport(request.report)
  const jobs = jobsBytesOf(request)
  expectBinding(request, jobs, { reportData: report.reportData, audience })
  expectPossession(request.possession, report.reportData, request.runtimeData.evidenceKey)
  return { request, report, jobs }
}

/** Throws the codes of `verifyAssertion`, `verifyReport` and `readJobs`. */
export function proveRequest(
  { request, report, jobs }: BoundRequest,
  authors: {
    readonly clients: readonly { readonly id: string; readonly keys: readonly P384Jwk[] }[]
    readonly audience: string
    readonly roots: TrustStore
    readonly crls: readonly Crl[]
  },
  at: UnixSeconds,
): ProvenRequest {
  const { clientAssertion, nonce, wrapKey } = request
  const { clients, audience, roots, crls } = authors
  const asker = verifyAssertion(clientAssertion, { clients, audience, nonce, wrapKey }, at)
  const verified = verifyReport(report, request.certs, { roots, crls, at })
  return { request: { ...request, jobs: readJobs(jobs) }, asker, verified }
}
