/** A report that did not come as far as the rules: where it failed, in the same form as a rule that is broken. */
import type { CodedError, ErrorCode, Refusal } from '../errors.ts'
import { certificateUrl } from '../snp/certificateUrl.ts'
import type { Report } from '../snp/report.ts'

type Place = Pick<Refusal, 'field' | 'expected' | 'remedy'>

const DO_NOT_BELIEVE = 'do not believe the report: ask for a fresh one over another way'

const PLACES: Partial<Record<ErrorCode, Place>> = {
  'report.malformed': {
    field: 'report',
    expected: '1184 bytes of version 2 to 5',
    remedy: 'give the report alone, as the firmware made it, without the 32 bytes before it',
  },
  'report.invalid': {
    field: 'report',
    expected: 'values that the SEV-SNP ABI allows',
    remedy: 'see "report show"; firmware newer than this program, or a forgery',
  },
  'report.signature': {
    field: 'signature',
    expected: 'a signature by the endorsed key',
    remedy: DO_NOT_BELIEVE,
  },
  'chain.missing': {
    field: 'certs',
    expected: 'the certificate of the key that signed the report',
    remedy: "give the chip's VCEK certificate with --cert, from AMD's key distribution service",
  },
  'chain.malformed': {
    field: 'certs',
    expected: 'certificates in the DER that AMD issues',
    remedy: "give the certificate as AMD's key distribution service gives it",
  },
  'chain.untrusted': {
    field: 'certs',
    expected: 'a chain that ends at a trusted root',
    remedy:
      "give the VCEK as AMD issued it, with the ASK of its product; other roots than AMD's with --roots",
  },
  'chain.expired': {
    field: 'certs',
    expected: 'certificates that are valid at the time',
    remedy: 'fetch a current certificate, or judge the report at the time it was made with --at',
  },
  'chain.revoked': {
    field: 'certs',
    expected: 'an ASK or ASVK that its root has not revoked',
    remedy:
      "fetch the chip's certificate anew, with its current ASK or ASVK; if it stays the same, do not use the chip",
  },
  'chain.kind-mismatch': {
    field: 'signingKey',
    expected: 'a certificate of the kind of key that signed the report',
    remedy: 'give the VCEK for a report signed by a VCEK, the VLEK for one signed by a VLEK',
  },
  'chain.tcb-mismatch': {
    field: 'tcb.reported',
    expected: 'the TCB of the certificate',
    remedy: 'fetch the certificate for the reported TCB',
  },
  'chain.chip-mismatch': {
    field: 'chipId',
    expected: 'the hardware id of the certificate',
    remedy: "fetch the certificate for the report's chip id",
  },
  'chain.product-mismatch': {
    field: 'product',
    expected: 'one product in CPUID, certificate and chain',
    remedy: DO_NOT_BELIEVE,
  },
  'crl.malformed': {
    field: 'crl',
    expected: 'a revocation list in the DER that AMD issues',
    remedy: "give the list as AMD's key distribution service gives it, DER or PEM",
  },
  'crl.untrusted': {
    field: 'crl',
    expected: 'a revocation list signed by a trusted root',
    remedy: "fetch the list from AMD's key distribution service; that of another root with its --roots",
  },
  'case.malformed': {
    field: 'case',
    expected: 'one case of version 1, as docs/conformance.md has it',
    remedy: 'mend the case',
  },
}

/** Refusals that end when the certificate is given that belongs to the report. */
const FETCHED: readonly ErrorCode[] = ['chain.missing', 'chain.tcb-mismatch', 'chain.chip-mismatch']

/**
 * `field`: where the error does not say by its code which of the inputs it speaks of. `report`: of AMD's own roots, as far as
 * it could be read; with it, what to do names the very certificate that is needed.
 */
export function refusalOf(error: CodedError, field?: string, report?: Report): Refusal {
  const { code, message: actual } = error
  const place = PLACES[code] ?? { field: 'report', expected: 'authentic', remedy: DO_NOT_BELIEVE }
  const url = report !== undefined && FETCHED.includes(code) ? certificateUrl(report) : undefined
  const remedy = url === undefined ? place.remedy : `give the certificate of the key with --cert, from ${url}`
  return { code, field: field ?? place.field, expected: place.expected, actual, remedy }
}
