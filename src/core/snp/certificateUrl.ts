/** Where AMD keeps the certificate of the key that, by its own word, signed a report. */
import { KDS_ORIGIN, vcekPath } from './kds.ts'
import { wantedLeavesOf } from './leaf.ts'
import type { Report } from './report.ts'

/**
 * Undefined where the report does not say which it is: version 2 names no product, a masked chip has no id, and a VLEK comes from
 * the cloud provider alone.
 */
export function certificateUrl(report: Report): string | undefined {
  const [wanted, ...others] = wantedLeavesOf(report)
  if (wanted?.hardwareId === undefined || others.length > 0) return undefined
  return `${KDS_ORIGIN}${vcekPath(wanted.product, wanted.hardwareId, wanted.tcb)}`
}
