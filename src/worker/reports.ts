/** Metrics and log lines about the source of attestation reports. */
import { errorFields, type Log } from '#adapters/system/log.ts'
import { codeOf } from '#core/errors.ts'
import type { ReportSource } from '#ports/reportSource.ts'
import type { WorkerMetrics } from './metrics.ts'

/** Wraps a source: counts its reports, and logs once if it is lost, with each party's error number. */
export function watchReports(
  reports: ReportSource,
  metrics: Pick<WorkerMetrics, 'reported'>,
  log: Pick<Log, 'error'>,
): ReportSource {
  let told = false
  const observe = (code: string) => {
    const lost = reports.lost()
    metrics.reported(reports.kind, code, lost !== undefined)
    if (lost === undefined || told) return
    told = true
    const { errno, fwError, vmmError } = lost
    log.error('attestation lost', { source: reports.kind, ...errorFields(lost), errno, fwError, vmmError })
  }
  return {
    ...reports,
    getReport: async (reportData, signal) => {
      try {
        const answer = await reports.getReport(reportData, signal)
        observe('')
        return answer
      } catch (error) {
        // The caller's own abort says nothing about the source.
        if (signal?.aborted !== true || error !== signal.reason) observe(codeOf(error))
        throw error
      }
    },
  }
}
