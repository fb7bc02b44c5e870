/** The address of a report's certificate at AMD. */
import { KDS_ORIGIN, vcekPath } from './kds.ts'
import { wantedLeavesOf } from './leaf.ts'
import type { Report } from './report.ts'

/**
 * The URL of the VCEK certificate that the report claims. Undefined if the report does not identify it:
 * version 2 names no product, a masked chip has no id, and only the cloud provider gives out a VLEK
 * certificate.
 */
export function certificateUrl(report: Report): string | undefined {
  const [wanted, ...others] = wantedLeavesOf(report)
  if (wanted?.hardwareId === undefined || others.length > 0) return undefined
  return `${KDS_ORIGIN}${vcekPath(wanted.product, wanted.hardwareId, wanted.tcb)}`
}
