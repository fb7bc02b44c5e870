/**
 * Audits a whole evidence collection, from the provider root only: the signed documents, each log, the
 * agreement of both sides' logs, and the place of every result in them. It reports everything that is wrong,
 * not only the first.
 */
import type { ErrorCode } from '../../errors.ts'
import type { QuorumRoot } from '../../jws.ts'
import { readAnchors } from './anchors.ts'
import type { Collection } from './collection.ts'
import type { Context } from './context.ts'
import { judgeStatements } from './decisions.ts'
import { Findings } from './finding.ts'
import { Histories } from './histories.ts'
import { JobOrder } from './jobs.ts'
import { auditLogs, Logs } from './logs.ts'
import { judgeQuotas } from './quotas.ts'
import { judgeRefusals } from './refusals.ts'
import { judgeReleases } from './releases.ts'
import type { EvidenceReport } from './report.ts'
import { judgeManifests, readManifests } from './results.ts'
import { reportSetAside } from './setAside.ts'

export async function auditCollection(
  collection: Collection,
  options: {
    readonly providerRoot: QuorumRoot
    /** True if simulated evidence is acceptable; it proves nothing about a machine. */
    readonly simulation: boolean
  },
): Promise<EvidenceReport> {
  const findings = new Findings()
  const histories = new Histories(findings)
  const anchors = await readAnchors(collection, options.providerRoot, findings)
  const { registrations } = anchors
  const record = histories.record.bind(histories)
  const order = new JobOrder(findings)
  const { verifierLogs, workerLogs } = collection
  const audited = [
    ...(await auditLogs({ objects: verifierLogs, role: 'verifier', registrations, findings, record })),
    ...(await auditLogs({
      objects: workerLogs,
      role: 'worker',
      registrations,
      findings,
      record: (entry, place) => {
        record(entry, place)
        order.record(entry, place)
      },
    })),
  ]
  const logs = new Logs(audited, registrations)
  judgeStatements({ histories, anchors, findings })
  const manifests = await readManifests({ collection, anchors, findings })
  const context: Context = { collection, anchors, histories, logs, manifests, findings }
  const allowed = judgeReleases(context)
  const refused = judgeRefusals(context)
  judgeQuotas(context)
  const results = await judgeManifests(context)

  const simulation =
    audited.some(({ report }) => report.simulation) ||
    [...registrations.values()].some((registration) => registration.simulation) ||
    anchors.governed.simulation ||
    [...manifests.values()].some(({ manifest }) => manifest.simulation)
  if (simulation && !options.simulation)
    findings.add('evidence.simulated', 'the evidence is simulated, and simulation was not asked for')

  return {
    v: 1,
    verdict: findings.verdict,
    simulation,
    witnessed: 'unwitnessed',
    findings: findings.list,
    findingsOmitted: findings.omitted,
    logs: audited.map(({ report }) => report),
    releases: [...allowed, ...refused].sort((a, b) => a.time - b.time || a.index - b.index),
    turnedAway: countTurnedAway(histories),
    results,
    setAside: reportSetAside(context),
  }
}

function countTurnedAway({ turnedAway }: Histories): EvidenceReport['turnedAway'] {
  const counts = new Map<ErrorCode, number>()
  for (const { code, count } of turnedAway) counts.set(code, (counts.get(code) ?? 0) + count)
  return [...counts].sort().map(([code, count]) => ({ code, count }))
}
