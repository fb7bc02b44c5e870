/** The length of a report, with advice for a report that is still behind a header. */
import { viewOf } from '../bytes.ts'
import { CodedError } from '../errors/report.ts'
import { ECDSA_P384_SHA384, FIELDS, REPORT_BYTES, REPORT_VERSIONS } from './layout.ts'

/** The kernel and paravisors put 32 bytes in front of a report; one field of them is the report's length. */
const HEADER_BYTES = 32

/**
 * Throws `report.malformed` if `bytes` does not have the length of a report. If a report follows the kernel's
 * header, the message says how to cut it out.
 */
export function assertWhole(bytes: Uint8Array): void {
  if (bytes.byteLength === REPORT_BYTES) return
  const inside = bytes.subarray(HEADER_BYTES, HEADER_BYTES + REPORT_BYTES)
  const view = viewOf(inside)
  const isBehindHeader =
    inside.byteLength === REPORT_BYTES &&
    REPORT_VERSIONS.some((version) => version === view.getUint32(FIELDS.version.at, true)) &&
    view.getUint32(FIELDS.signatureAlgorithm.at, true) === ECDSA_P384_SHA384
  throw new CodedError(
    'report.malformed',
    isBehindHeader
      ? `the report has ${bytes.byteLength} bytes, expected ${REPORT_BYTES}: it follows a header; cut it out with "tail -c +${HEADER_BYTES + 1} FILE | head -c ${REPORT_BYTES} > report.bin"`
      : `the report has ${bytes.byteLength} bytes, expected ${REPORT_BYTES}`,
  )
}
