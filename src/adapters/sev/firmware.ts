/** A guest's channel to its firmware, and the source of reports over it. */
import { errorFields, type Log } from '#adapters/system/log.ts'
import { sameBytes } from '#core/bytes.ts'
import { parseCertificateTable } from '#core/snp/certificateTable.ts'
import { FIELDS } from '#core/snp/layout.ts'
import type { ReportSource } from '#ports/reportSource.ts'
import type { Endorsements } from './endorsements.ts'
import { SevFault } from './fault.ts'

const { at: REPORT_DATA_AT, size: REPORT_DATA_BYTES } = FIELDS.reportData

/** `table` is the host's certificate table, not parsed; empty if the host gave none. */
export type FirmwareReport = { readonly report: Buffer; readonly table: Buffer }

export type Firmware = {
  readonly kind: 'device' | 'configfs-tsm'
  /** Throws `SevFault`. Requests take turns. */
  readonly getReport: (reportData: Buffer, signal: AbortSignal | undefined) => Promise<FirmwareReport>
  /** The final fault, after which nothing is sent. */
  readonly lost: () => SevFault | undefined
}

export function createFirmwareSource(
  firmware: Firmware,
  { endorsements, log }: { readonly endorsements: Endorsements; readonly log: Log },
): ReportSource {
  const { kind } = firmware
  const readTable = createTableReader(log)
  return {
    kind,
    lost: firmware.lost,
    getReport: async (reportData, signal) => {
      if (reportData.byteLength !== REPORT_DATA_BYTES)
        throw new RangeError(`REPORT_DATA has ${reportData.byteLength} bytes, not ${REPORT_DATA_BYTES}`)
      signal?.throwIfAborted()
      const asked = Buffer.from(reportData)
      const { report, table } = await firmware.getReport(asked, signal)
      if (!sameBytes(report.subarray(REPORT_DATA_AT, REPORT_DATA_AT + REPORT_DATA_BYTES), asked))
        throw new SevFault('sev.failed', `${kind} gave a report about other data than requested`)
      return { report, certs: await endorsements.certsFor(report, readTable(table), signal) }
    },
  }
}

/** Reads the host's certificates. An unreadable table counts as empty, and is logged once. */
function createTableReader(log: Log): (table: Buffer) => readonly Buffer[] {
  let told = false
  return (table) => {
    if (table.byteLength === 0) return []
    try {
      const { vcek, vlek, ask } = parseCertificateTable(table)
      return [vcek, vlek, ask].filter((der) => der !== undefined).map((der) => Buffer.from(der))
    } catch (error) {
      if (!told) log.warn('the host gave a certificate table that cannot be read', errorFields(error))
      told = true
      return []
    }
  }
}
