/** A report refused before appraisal: where it failed, in the same form as a violated rule. */
import { type CodedError, REPORT_ERRORS, type Refusal, type ReportErrorCode } from '../errors/report.ts'
import { certificateUrl } from '../snp/certificateUrl.ts'
import type { Report } from '../snp/report.ts'

type Position = Pick<Refusal, 'field' | 'expected'>

const POSITIONS: Partial<Record<ReportErrorCode, Position>> = {
  'report.malformed': { field: 'report', expected: '1184 bytes of version 2 to 5' },
  'report.invalid': { field: 'report', expected: 'values that the SEV-SNP ABI allows' },
  'report.signature': { field: 'signature', expected: 'a signature by the endorsed key' },
  'chain.missing': { field: 'certs', expected: 'the certificate of the key that signed the report' },
  'chain.malformed': { field: 'certs', expected: 'certificates in the DER form that AMD issues' },
  'chain.untrusted': { field: 'certs', expected: 'a chain that ends at a trusted root' },
  'chain.expired': { field: 'certs', expected: 'certificates that are valid at this time' },
  'chain.revoked': { field: 'certs', expected: 'an ASK or ASVK that its root has not revoked' },
  'chain.kind-mismatch': {
    field: 'signingKey',
    expected: 'a certificate for the kind of key that signed the report',
  },
  'chain.tcb-mismatch': { field: 'tcb.reported', expected: 'the TCB of the certificate' },
  'chain.chip-mismatch': { field: 'chipId', expected: 'the hardware id of the certificate' },
  'chain.product-mismatch': { field: 'product', expected: 'one product in CPUID, certificate and chain' },
  'crl.malformed': { field: 'crl', expected: 'a revocation list in the DER form that AMD issues' },
  'crl.untrusted': { field: 'crl', expected: 'a revocation list signed by a trusted root' },
  'case.malformed': { field: 'case', expected: 'one case of version 1, as docs/conformance.md specifies' },
}
const ELSEWHERE: Position = { field: 'report', expected: 'an authentic report' }

/** Refusals that the right certificate would resolve. */
const RESOLVED_BY_CERTIFICATE: readonly ReportErrorCode[] = [
  'chain.missing',
  'chain.tcb-mismatch',
  'chain.chip-mismatch',
]

/**
 * `field`: the input, for a code that several inputs share. `report`: only for a report judged under AMD's
 * own roots, as far as
 * it could be read; the remedy then names the URL of the certificate that is missing.
 */
export function refusalOf(error: CodedError, field?: string, report?: Report): Refusal {
  const { code, message: actual } = error
  const position = POSITIONS[code] ?? ELSEWHERE
  const url =
    report !== undefined && RESOLVED_BY_CERTIFICATE.includes(code) ? certificateUrl(report) : undefined
  const remedy =
    url === undefined ? REPORT_ERRORS[code].remedy : `give the certificate of the signing key, from ${url}`
  return { code, field: field ?? position.field, expected: position.expected, actual, remedy }
}
