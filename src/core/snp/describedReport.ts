/** A report's fields in the words of the output. */
import { toHex } from '../bytes.ts'
import { CodedError } from '../errors/report.ts'
import { type Cpuid, dieOfCpuid, type Product } from './product.ts'
import type { Firmware, Report, TcbName } from './report.ts'
import { hex64 } from './shownValues.ts'
import { parseTcb, type Tcb } from './tcb.ts'

/** Bytes as lower-case hex. */
export type DescribedReport = {
  readonly version: number
  readonly product: Product | null
  /** As AMD sells it, by CPUID. */
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
  /** Null where the product, and with it the layout, is unknown. */
  readonly tcb: Readonly<Record<TcbName, Tcb>> | null
  readonly signingKey: Report['signingKey']
  readonly authorKeyEnabled: boolean
  readonly chipKeyMasked: boolean
  readonly firmware: { readonly current: Firmware; readonly committed: Firmware }
  readonly mitigations: { readonly launch: string; readonly current: string } | null
}

/** `product` says how the TCB is laid out; undefined where nothing does. */
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
    tcb: product === undefined ? null : tcbOf(report, product),
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

function tcbOf({ tcb }: Report, product: Product): DescribedReport['tcb'] {
  try {
    return {
      reported: parseTcb(tcb.reported, product),
      committed: parseTcb(tcb.committed, product),
      current: parseTcb(tcb.current, product),
      launch: parseTcb(tcb.launch, product),
    }
  } catch (error) {
    if (error instanceof CodedError) return null
    throw error
  }
}
