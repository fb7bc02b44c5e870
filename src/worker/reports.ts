/** What becomes of asking for reports, for those who watch a worker. */
import { errorFields, type Log } from '#adapters/system/log.ts'
import { codeOf } from '#core/errors.ts'
import type { ReportSource } from '#ports/reportSource.ts'
import type { WorkerMetrics } from './metrics.ts'

/** The same source, counted; and one line in the log when it is lost, with each party's number by itself. */
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
        // An abort is the caller's own word, and says nothing of the source.
        if (signal?.aborted !== true || error !== signal.reason) observe(codeOf(error))
        throw error
      }
    },
  }
}
