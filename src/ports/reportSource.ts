import type { CodedError } from '#core/errors.ts'

/** Three parties' numbers, apart: the system call's, the firmware's and the hypervisor's; absent where nobody told. */
export type FirmwareFault = CodedError & {
  readonly errno: number | undefined
  readonly fwError: number | undefined
  readonly vmmError: number | undefined
}

/**
 * Where a worker gets its attestation report.
 *
 * One request is in flight at a time; others wait. The report's REPORT_DATA equals what was asked for, or the call
 * fails: the caller never sees a report about something else. `sev.lost` is for good (the guest's key to the firmware is
 * gone): nothing is sent any more, every call fails with it, and `lost` gives it from then on, so that the caller stops and
 * the guest is replaced. `certs` are DER, the VCEK or VLEK first, then ASK or ASVK where the source has them; they are
 * evidence to be checked, not trusted.
 */
export type ReportSource = {
  readonly kind: 'device' | 'configfs-tsm' | 'socket'
  readonly getReport: (
    reportData: Uint8Array,
    signal?: AbortSignal,
  ) => Promise<{ readonly report: Buffer; readonly certs: readonly Buffer[] }>
  readonly lost: () => FirmwareFault | undefined
}
