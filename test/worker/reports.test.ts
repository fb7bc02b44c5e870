import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SevFault } from '#adapters/sev/fault.ts'
import { createRegistry } from '#adapters/system/monitor.ts'
import type { ReportSource } from '#ports/reportSource.ts'
import { createWorkerMetrics } from '../../src/worker/metrics.ts'
import { watchReports } from '../../src/worker/reports.ts'
import { linesOf } from '../log.ts'

const REPORT = { report: Buffer.alloc(1184), certs: [] }
const lost = new SevFault('sev.lost', '/dev/sev-guest gave ETIMEDOUT', {
  errno: 110,
  fwError: 0,
  vmmError: 2,
})

/** Gives the answers in turn; `lost` is given again for ever. */
function watched(answers: (Error | typeof REPORT)[]) {
  let gone: SevFault | undefined
  const source: ReportSource = {
    kind: 'device',
    lost: () => gone,
    getReport: async () => {
      const answer = gone ?? answers.shift() ?? assert.fail('nothing more is expected')
      if (answer === lost) gone = lost
      if (answer instanceof Error) throw answer
      return answer
    },
  }
  const registry = createRegistry()
  const { log, lines } = linesOf()
  const reports = watchReports(source, createWorkerMetrics(registry, false), log)
  const metricsOf = async (name: string) =>
    (await registry.getSingleMetric(name)?.get())?.values.map(({ labels, value }) => ({ ...labels, value }))
  return { reports, lines, metricsOf }
}

test('a report passes unchanged and is counted', async () => {
  const { reports, lines, metricsOf } = watched([REPORT])
  assert.equal(await reports.getReport(Buffer.alloc(64)), REPORT)
  assert.deepEqual(await metricsOf('cw_worker_reports_total'), [{ source: 'device', code: '', value: 1 }])
  assert.deepEqual(await metricsOf('cw_worker_attestation_lost'), [{ value: 0 }])
  assert.deepEqual(lines, [])
})

test('a lost source is logged once with each error number, and stays lost', async () => {
  const busy = new SevFault('sev.busy', 'busy')
  const { reports, lines, metricsOf } = watched([busy, lost])
  await assert.rejects(reports.getReport(Buffer.alloc(64)), busy)
  assert.deepEqual(lines, [])
  for (let count = 0; count < 3; count++) await assert.rejects(reports.getReport(Buffer.alloc(64)), lost)
  assert.deepEqual(lines, [
    {
      level: 'error',
      msg: 'attestation lost',
      source: 'device',
      code: 'sev.lost',
      error: '/dev/sev-guest gave ETIMEDOUT',
      errno: 110,
      fwError: 0,
      vmmError: 2,
    },
  ])
  assert.equal(reports.lost(), lost)
  assert.deepEqual(await metricsOf('cw_worker_reports_total'), [
    { source: 'device', code: 'sev.busy', value: 1 },
    { source: 'device', code: 'sev.lost', value: 3 },
  ])
  assert.deepEqual(await metricsOf('cw_worker_attestation_lost'), [{ value: 1 }])
})

test('an unknown error counts as a fault, an abort does not count', async () => {
  const reason = new Error('drained')
  const { reports, metricsOf } = watched([new TypeError('x'), reason])
  await assert.rejects(reports.getReport(Buffer.alloc(64)), TypeError)
  await assert.rejects(reports.getReport(Buffer.alloc(64), AbortSignal.abort(reason)), reason)
  assert.deepEqual(await metricsOf('cw_worker_reports_total'), [
    { source: 'device', code: 'internal.fault', value: 1 },
  ])
})
