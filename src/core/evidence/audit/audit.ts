/**
 * The audit of a whole collection, from the provider root alone: who may speak, what each log says, whether the logs
 * of both sides tell the same story, and whether every result is part of it. Everything wrong is found, not the first.
 */
import type { ErrorCode } from '../../errors.ts'
import type { Root } from '../../jws.ts'
import { readAnchors } from './anchors.ts'
import type { Collection } from './collection.ts'
import { judgeStatements, Missing } from './decisions.ts'
import { Findings } from './finding.ts'
import { Lives } from './lives.ts'
import { auditLogs, Logs } from './logs.ts'
import { judgeReleases, refusedRelease } from './releases.ts'
import type { EvidenceReport } from './report.ts'
import { judgeManifests, readManifests } from './results.ts'

export async function auditCollection(
  collection: Collection,
  options: {
    readonly providerRoot: Root
    /** Whether simulated evidence is acceptable; it proves nothing about a machine. */
    readonly simulation: boolean
  },
): Promise<EvidenceReport> {
  const findings = new Findings()
  const lives = new Lives(findings)
  const take = lives.take.bind(lives)
  const anchors = await readAnchors(collection, options.providerRoot, findings)
  const { registrations } = anchors
  const audited = [
    ...(await auditLogs(collection.verifierLogs, 'verifier', registrations, findings, take)),
    ...(await auditLogs(collection.workerLogs, 'worker', registrations, findings, take)),
  ]
  const logs = new Logs(audited, registrations)
  const missing = new Missing(findings)
  judgeStatements(lives, anchors, missing, findings)
  const manifests = await readManifests(collection.results, registrations, findings)
  const allowed = judgeReleases({ lives, logs, manifests, anchors, missing, findings })
  const results = await judgeManifests(manifests, collection.results, lives, logs, anchors, findings)

  const simulation =
    audited.some(({ report }) => report.simulation) ||
    [...registrations.values()].some((registration) => registration.simulation) ||
    [...anchors.policies.values()].some(({ policy }) => policy.simulation) ||
    [...manifests.values()].some(({ manifest }) => manifest.simulation)
  if (simulation && !options.simulation)
    findings.add(
      'evidence.simulated',
      null,
      null,
      'the evidence is simulated, and simulation was not asked for',
    )

  return {
    v: 1,
    verdict: findings.verdict,
    simulation,
    witnessed: 'unwitnessed',
    findings: findings.list,
    findingsOmitted: findings.omitted,
    logs: audited.map(({ report }) => report),
    releases: [...allowed, ...lives.refused.map(refusedRelease)].sort(
      (a, b) => a.time - b.time || a.index - b.index,
    ),
    turnedAway: countTurnedAway(lives),
    results,
  }
}

function countTurnedAway({ turnedAway }: Lives): EvidenceReport['turnedAway'] {
  const counts = new Map<ErrorCode, number>()
  for (const { code, count } of turnedAway) counts.set(code, (counts.get(code) ?? 0) + count)
  return [...counts].sort().map(([code, count]) => ({ code, count }))
}
