/** The fields of a report as JSON values, for the output of programs. */
import { toHex } from '../bytes.ts'
import { type Cpuid, dieOfCpuid, type Product } from './product.ts'
import type { Firmware, Report, TcbName } from './report.ts'
import { hex64, shownTcbs } from './shownValues.ts'
import type { Tcb } from './tcb.ts'

/** The fields of a report. Bytes are lower-case hex; a value that the report does not have is null. */
export type DescribedReport = {
  readonly version: number
  readonly product: Product | null
  /** AMD's name of the processor, by CPUID. */
  readonly die: string | null
  readonly cpuid: Cpuid | null
  readonly guestSvn: number
  readonly measurement: string
  readonly reportData: string
  readonly hostData: string
  readonly chipId: string
  readonly familyId: string
  readonly imageId: string
  readonly idKeyDigest: string
  readonly authorKeyDigest: string
  readonly reportId: string
  readonly reportIdMa: string
  readonly policy: Report['guestPolicy'] & { readonly value: string; readonly abi: Report['abi'] }
  readonly platformInfo: Report['platformBits'] & { readonly value: string }
  readonly vmpl: number
  /** Null if the product is unknown, and with it the layout, or if a TCB is not in that layout. */
  readonly tcb: Readonly<Record<TcbName, Tcb>> | null
  readonly signingKey: Report['signingKey']
  readonly authorKeyEnabled: boolean
  readonly chipKeyMasked: boolean
  readonly firmware: { readonly current: Firmware; readonly committed: Firmware }
  readonly mitigations: { readonly launch: string; readonly current: string } | null
}

/** Describes a report. `product` determines the layout of its TCBs; undefined if it is unknown. */
export function describe(report: Report, product: Product | undefined): DescribedReport {
  const { mitigations } = report
  return {
    version: report.version,
    product: product ?? null,
    die: (report.cpuid && dieOfCpuid(report.cpuid)) ?? null,
    cpuid: report.cpuid ?? null,
    guestSvn: report.guestSvn,
    measurement: toHex(report.measurement),
    reportData: toHex(report.reportData),
    hostData: toHex(report.hostData),
    chipId: toHex(report.chipId),
    familyId: toHex(report.familyId),
    imageId: toHex(report.imageId),
    idKeyDigest: toHex(report.idKeyDigest),
    authorKeyDigest: toHex(report.authorKeyDigest),
    reportId: toHex(report.reportId),
    reportIdMa: toHex(report.reportIdMa),
    policy: { value: hex64(report.policy), abi: report.abi, ...report.guestPolicy },
    platformInfo: { value: hex64(report.platformInfo), ...report.platformBits },
    vmpl: report.vmpl,
    tcb: product === undefined ? null : shownTcbs(report.tcb, product),
    signingKey: report.signingKey,
    authorKeyEnabled: report.authorKeyEnabled,
    chipKeyMasked: report.chipKeyMasked,
    firmware: report.firmware,
    mitigations:
      mitigations === undefined
        ? null
        : { launch: hex64(mitigations.launch), current: hex64(mitigations.current) },
  }
}
