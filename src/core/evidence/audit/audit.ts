/**
 * Audits a whole evidence collection, from the provider root only: the signed documents, each log, the
 * agreement of both sides' logs, and the place of every result in them. It reports everything that is wrong,
 * not only the first. The logs are read in one order of time, so that memory holds what is under way and not
 * the whole.
 */
import type { Role } from '../../boot/boot.ts'
import type { QuorumRoot } from '../../jws.ts'
import type { Entry } from '../entry.ts'
import { readAnchors } from './anchors.ts'
import { Newest } from './bounded.ts'
import type { Collection } from './collection.ts'
import type { Context, Rule } from './context.ts'
import { Findings } from './finding.ts'
import type { Life } from './life.ts'
import { Lives } from './lives.ts'
import type { AnyLogged } from './log/log.ts'
import { Logs } from './log/logs.ts'
import { Manifests } from './manifests.ts'
import { Allowed, type OpenCounts } from './outcome/allowed.ts'
import { Letters } from './outcome/letters.ts'
import { Refused } from './outcome/refused.ts'
import type { AllowedRelease, EvidenceReport, RefusedRelease, ResultReport } from './report.ts'
import { results, resultsOf } from './rules/results.ts'
import { RULES } from './rules.ts'
import { type Compute, computeHere } from './tasks.ts'
import { inOrderOfTime } from './timeline.ts'
import { readWitnessed } from './witnessed.ts'

export type AuditOptions = {
  readonly providerRoot: QuorumRoot
  /** True if simulated evidence is acceptable; it proves nothing about a machine. */
  readonly simulation: boolean
  /** Releases, refusals and results in the report: the newest of each, the others are counted. */
  readonly rows?: number
  /** Is given every release as soon as its outcome is known. What other entries say of it comes later. */
  readonly onRelease?: ((release: AllowedRelease | RefusedRelease) => void) | undefined
  /** Is given every entry of registered boots, in order of time. */
  readonly onEntry?: ((logged: AnyLogged) => void) | undefined
  /** Opens the counts of a result with the audit key; undefined if that is another key. */
  readonly openCounts?: OpenCounts | undefined
  readonly compute?: Compute
}

const ROWS = 1000
/** Judged together, so that their manifests are read together. */
const SETTLED_TOGETHER = 128
/** Entries, between two times that rules may do what waits. */
const CAUGHT_UP_AFTER = 512

export async function auditCollection(
  collection: Collection,
  options: AuditOptions,
): Promise<EvidenceReport> {
  const { providerRoot, simulation: allowed, rows = ROWS, compute = computeHere, onRelease } = options
  const findings = new Findings()
  const anchors = await readAnchors(collection, providerRoot, findings)
  const { registrations } = anchors
  const shared = { registrations, findings, compute }
  const logs = new Logs(registrations)
  await logs.read({ objects: collection.verifierLogs, role: 'verifier', ...shared })
  await logs.read({ objects: collection.workerLogs, role: 'worker', ...shared })
  const manifests = new Manifests({ objects: collection.results, grantCas: anchors.grantCas, ...shared })
  const witnessed = await readWitnessed({ objects: collection.verifierLogs, logs, ...shared })
  const lives = new Lives(findings)
  const context: Context = { collection, anchors, logs, witnessed, lives, manifests, findings, compute }

  const letters = new Letters(context)
  const releases = new Allowed(context, letters, { rows, onRelease, openCounts: options.openCounts })
  const refused = new Refused({ rows, onRelease })
  const made = new Newest<ResultReport>(rows, ({ committedAt }) => committedAt)
  await walk(context, [
    ...RULES.map((ruleOf) => ruleOf(context)),
    results(context, (report, manifest) => {
      made.add(report)
      letters.noteObjects(manifest)
    }),
    letters.rule,
    releases.rule,
    refused.rule,
    { entry: (logged) => options.onEntry?.(logged) },
  ])

  const reports = logs.reports
  const simulation =
    reports.some((report) => report.simulation) ||
    [...registrations.values()].some((registration) => registration.simulation) ||
    anchors.governed.simulation ||
    manifests.simulation
  if (simulation && !allowed)
    findings.add('evidence.simulated', 'the evidence is simulated, and simulation was not asked for')
  return {
    v: 1,
    verdict: findings.verdict,
    simulation,
    witnessed: witnessed.isWhole(logs) ? 'witnessed' : 'unwitnessed',
    totals: { allowed: releases.count, refused: refused.count, results: made.count },
    findings: findings.list,
    findingsOmitted: findings.omitted,
    policies: anchors.governed.inForce,
    logs: reports,
    releases: [...releases.rows, ...refused.rows].sort((a, b) => a.time - b.time || a.index - b.index),
    turnedAway: refused.turnedAway,
    results: made.rows,
    setAside: letters.report,
  }
}

/** Gives every entry, decision and life to the rules. */
async function walk(context: Context, rules: readonly Rule[]): Promise<void> {
  const { logs, lives, manifests, findings } = context
  let count = 0
  // Manifests are opened in threads while the next entries are read.
  let settling = Promise.resolve()
  for await (const logged of inOrderOfTime(logs.registered)) {
    if (!isByItsRole(logged, findings)) continue
    for (const rule of rules) rule.entry?.(logged)
    const recorded = lives.record(logged)
    if (recorded !== undefined)
      for (const rule of rules) {
        if (!('releaseId' in recorded.entry)) rule.refusal?.({ ...recorded, entry: recorded.entry })
        else if (lives.get(recorded.entry.releaseId)?.decided.length === 1)
          rule.decision?.({ ...recorded, entry: recorded.entry })
      }
    if (lives.due >= SETTLED_TOGETHER) {
      await settling
      settling = settle(lives.takeDue())
      // Its failure is thrown where it is awaited.
      settling.catch(() => {})
    }
    count += 1
    if (count % CAUGHT_UP_AFTER !== 0) continue
    await settling
    for (const rule of rules) await rule.catchUp?.()
  }
  await settling
  let rest: Life[] = []
  for (const life of lives.takeAll()) {
    rest.push(life)
    if (rest.length < SETTLED_TOGETHER) continue
    await settle(rest)
    rest = []
  }
  await settle(rest)
  for (const rule of rules) await rule.end?.()

  async function settle(some: readonly Life[]): Promise<void> {
    await manifests.prefetch(some.flatMap((life) => resultsOf(life, context)))
    for (const life of some) for (const rule of rules) await rule.life?.(life)
  }
}

/** Events that only one role may log. */
const ROLE_OF: Readonly<Partial<Record<Entry['event'], Role>>> = {
  'policy.loaded': 'verifier',
  'worker.accepted': 'verifier',
  'worker.refused': 'verifier',
  'boot.registered': 'verifier',
  'release.decided': 'verifier',
  'release.issued': 'verifier',
  'release.failed': 'verifier',
  'release.interrupted': 'verifier',
  'release.refused': 'verifier',
  'requests.refused': 'verifier',
  'permit.refused': 'verifier',
  'key.received': 'worker',
}

function isByItsRole(logged: AnyLogged, findings: Findings): boolean {
  const { role, entry } = logged
  const owner = ROLE_OF[entry.event] ?? role
  if (owner !== role) findings.at(logged)('log.order', `${entry.event} in the log of a ${role}`)
  return owner === role
}
