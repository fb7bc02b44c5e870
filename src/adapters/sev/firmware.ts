/** A guest's way to its firmware, and the reports of a worker over it. */
import { errorFields, type Log } from '#adapters/system/log.ts'
import { sameBytes } from '#core/bytes.ts'
import { parseCertificateTable } from '#core/snp/certificateTable.ts'
import { FIELDS } from '#core/snp/layout.ts'
import type { ReportSource } from '#ports/reportSource.ts'
import type { Endorsements } from './endorsements.ts'
import { SevFault } from './fault.ts'

const { at: REPORT_DATA_AT, size: REPORT_DATA_BYTES } = FIELDS.reportData

/** `table` is what the host gave beside the report, unread; empty where it gave nothing. */
export type FirmwareReport = { readonly report: Buffer; readonly table: Buffer }

export type Firmware = {
  readonly kind: 'device' | 'configfs-tsm'
  /** Throws `SevFault`; takes turns with every other request. */
  readonly getReport: (reportData: Buffer, signal: AbortSignal | undefined) => Promise<FirmwareReport>
  /** The fault after which nothing is sent any more. */
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
        throw new SevFault('sev.failed', `${kind} gave a report about other data than was asked for`)
      return { report, certs: await endorsements.certsFor(report, readTable(table), signal) }
    },
  }
}

/** The certificates that the host brought. Garbage is as good as nothing, and is said once. */
function createTableReader(log: Log): (table: Buffer) => readonly Buffer[] {
  let told = false
  return (table) => {
    if (table.byteLength === 0) return []
    try {
      const { vcek, vlek, ask } = parseCertificateTable(table)
      return [vcek, vlek, ask].filter((der) => der !== undefined)
    } catch (error) {
      if (!told) log.warn('the host gave no certificates that can be read', errorFields(error))
      told = true
      return []
    }
  }
}
