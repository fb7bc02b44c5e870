import type { CodedError } from '#core/errors.ts'

/**
 * The error numbers of three parties, apart: system call, firmware and hypervisor. Absent if the party gave
 * none.
 */
export type FirmwareFault = CodedError & {
  readonly errno: number | undefined
  readonly fwError: number | undefined
  readonly vmmError: number | undefined
}

/**
 * A worker's source of attestation reports.
 *
 * - Order: one request is in flight at a time; others wait. An abort ends the caller's wait with the signal's
 *   reason. A request that was sent cannot be called back, and keeps its turn.
 * - Binding: the report's REPORT_DATA equals `reportData` as it was at the call, or the call fails. The
 *   caller never receives a report about other data. `RangeError`: `reportData` does not have 64 bytes.
 * - `certs` are DER: the VCEK or VLEK first, then ASK or ASVK if the source has it. They are evidence:
 *   unverified.
 * - `sev.lost` is final: the guest's key to the firmware is gone. From then on nothing is sent, every call
 *   fails with this fault and `lost` returns it. The caller stops, and the guest is replaced.
 * - `sev.busy`: this attempt failed, the next may succeed. `sev.failed`: the answer is not as documented.
 *   `sev.unavailable`: there is no source, or no one has the certificate for its report. `kds.unknown` and
 *   `kds.unavailable`: AMD was asked for the certificate.
 */
export type ReportSource = {
  readonly kind: 'device' | 'configfs-tsm' | 'socket'
  readonly getReport: (
    reportData: Uint8Array,
    signal?: AbortSignal,
  ) => Promise<{ readonly report: Buffer; readonly certs: readonly Buffer[] }>
  readonly lost: () => FirmwareFault | undefined
}
