/**
 * Verifies AMD SEV-SNP attestation reports (RFC 9334: evidence), offline and without a dependency. Each step
 * takes only what the step before it returns:
 *
 *   parseReport → Report → verifyReport → VerifiedReport → appraise → Verdict → explain
 *
 * Bytes are `Uint8Array`, times are `UnixSeconds`. No function asks a clock: the caller gives the time. A
 * refusal is a value. A fault is a `CodedError`; its code is stable, its message is not.
 */

// Evidence: the claims of a report.

export { type CertificateTable, parseCertificateTable } from '../../src/core/snp/certificateTable.ts'
export { certificateUrl } from '../../src/core/snp/certificateUrl.ts'
export { parseReport, type Report } from '../../src/core/snp/report.ts'
export { type ShownReport, showReport } from '../../src/core/snp/shownReport.ts'

// Endorsements: AMD's roots, the chain from a root to the signing key, and the revocation lists.

export { AMD_ROOTS } from '../../src/core/snp/amdRoots.ts'
export { type Endorsement, TrustStore } from '../../src/core/snp/chain.ts'
export { type Crl, openCrl } from '../../src/core/snp/crl.ts'
export type { Product } from '../../src/core/snp/product.ts'
export type { RootEntry } from '../../src/core/snp/roots.ts'
export { type VerifiedReport, verifyReport } from '../../src/core/snp/verify.ts'

// Appraisal: an authentic report against reference values.

export { type Explanation, explain } from '../../src/core/appraisal/explain.ts'
export type { Reference } from '../../src/core/appraisal/reference.ts'
export { readReference } from '../../src/core/appraisal/referenceGrammar.ts'
export { STRICT } from '../../src/core/appraisal/strict.ts'
export { appraise, type Circumstances, type Verdict } from './appraise.ts'

// The launch digest, which a guest reports as MEASUREMENT.

export { type LaunchInputs, measure } from './measure.ts'

// All steps at once, with an answer in JSON.

export { judgeCase } from '../../src/core/appraisal/conformanceCase.ts'
export { type Evidence, type Judgement, judge } from '../../src/core/appraisal/judgement.ts'
export type { ReportResult } from '../../src/core/appraisal/reportResult.ts'

// Errors and times.

export {
  CodedError,
  REPORT_ERRORS,
  type Refusal,
  type ReportErrorCode,
} from '../../src/core/errors/report.ts'
export { parseRfc3339, toRfc3339, toUnixSeconds, type UnixSeconds } from '../../src/core/time.ts'
