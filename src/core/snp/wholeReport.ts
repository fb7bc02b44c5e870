/** The bytes of a report as they come: alone, or behind a header that has to be cut off. */
import { viewOf } from '../bytes.ts'
import { CodedError } from '../errors/report.ts'
import { ECDSA_P384_SHA384, FIELDS, REPORT_BYTES, REPORT_VERSIONS } from './layout.ts'

/** What the kernel and paravisors put before a report: 32 bytes, the report's length among them. */
const HEADER_BYTES = 32

/**
 * Throws `report.malformed` for another length than a report has; where one stands behind the kernel's header, it says how to
 * cut it out.
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
      ? `a report has ${REPORT_BYTES} bytes, not ${bytes.byteLength}: this one stands behind a header; cut it out with "tail -c +${HEADER_BYTES + 1} FILE | head -c ${REPORT_BYTES} > report.bin"`
      : `a report has ${REPORT_BYTES} bytes, not ${bytes.byteLength}`,
  )
}
