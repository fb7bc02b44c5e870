/**
 * Where a worker gets its attestation report.
 *
 * One request is in flight at a time; others wait. The report's REPORT_DATA equals what was asked for, or the call
 * fails: the caller never sees a report about something else. `sev.failed` is for good (the guest's key to the
 * firmware is gone): the caller stops and is replaced. `certs` are DER, the VCEK or VLEK first, then ASK or ASVK where
 * the source has them; they are evidence to be checked, not trusted.
 */
export type ReportSource = {
  readonly kind: 'device' | 'configfs-tsm' | 'socket'
  readonly getReport: (
    reportData: Uint8Array,
    signal?: AbortSignal,
  ) => Promise<{ readonly report: Buffer; readonly certs: readonly Buffer[] }>
}
