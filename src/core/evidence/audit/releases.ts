/** Each release from decision to end, in both logs, and what is said of it in the report. */
import type { Anchors } from './anchors.ts'
import { judgeDecision, type Missing } from './decisions.ts'
import type { FindingCode, Findings } from './finding.ts'
import type { Life, Lives, Placed, WorkerEnd } from './lives.ts'
import type { Logs } from './logs.ts'
import type { AllowedRelease, RefusedRelease, ReleaseStatus } from './report.ts'
import type { Manifest } from './results.ts'

const STATUS_OF_END: Readonly<Record<WorkerEnd['entry']['event'], ReleaseStatus>> = {
  'result.visible': 'visible',
  'result.superseded': 'superseded',
  'result.foreign': 'foreign',
  'job.failed': 'failed',
  'job.returned': 'returned',
  'job.dead-lettered': 'dead-lettered',
}

/** Of these a release has one; what becomes of the job after a failure is said beside it. */
const FINAL: ReadonlySet<string> = new Set(['result.visible', 'result.superseded', 'job.failed'])

type Context = {
  readonly lives: Lives
  readonly logs: Logs
  readonly manifests: ReadonlyMap<string, Manifest>
  readonly anchors: Anchors
  readonly missing: Missing
  readonly findings: Findings
}

export function judgeReleases(context: Context): AllowedRelease[] {
  const releases: AllowedRelease[] = []
  for (const [releaseId, life] of context.lives.releases) {
    const [decided, ...more] = life.decided
    if (decided === undefined) judgeUnknown(releaseId, life, context)
    else {
      judgeAgreement(releaseId, decided, more, life, context)
      judgeDecision(decided, context.anchors, context.missing, context.findings)
      releases.push(reportOf(decided, life, context))
    }
  }
  return settle(releases, context)
}

function judgeUnknown(releaseId: string, { ends, held }: Life, { logs, findings }: Context): void {
  for (const { boot, index, entry } of ends)
    findings.add(
      'release.unknown',
      boot,
      index,
      `${entry.event} of release ${releaseId}, which nobody decided`,
    )
  for (const { received } of held) {
    if (logs.isMissing(received.entry.verifier.boot)) continue
    findings.add(
      'release.unknown',
      received.boot,
      received.index,
      `release ${releaseId} is in no Verifier's log; entry ${received.entry.verifier.index} of ${received.entry.verifier.boot} should be its decision`,
    )
  }
}

/** One decision, one end, at most one receipt, and the same words for the same things. */
function judgeAgreement(
  releaseId: string,
  decided: Placed<'release.decided'>,
  more: readonly Placed<'release.decided'>[],
  { ends, held }: Life,
  { logs, findings }: Context,
): void {
  const [end, ...moreEnds] = ends
  for (const { boot, index, entry } of [...more, ...moreEnds])
    findings.add('release.repeated', boot, index, `a second ${entry.event} of release ${releaseId}`)
  for (const { received } of held.slice(1))
    findings.add(
      'release.repeated',
      received.boot,
      received.index,
      `release ${releaseId} was received before`,
    )
  if (end === undefined)
    findings.add(
      'release.unended',
      decided.boot,
      decided.index,
      `release ${releaseId} was decided and has no end`,
    )
  else if (end.boot !== decided.boot || end.index < decided.index)
    findings.add(
      'release.contradicted',
      end.boot,
      end.index,
      `the end of ${releaseId} does not follow its decision`,
    )

  for (const { received, ends: workerEnds } of held) {
    const { boot, index, entry } = received
    const { verifier } = entry
    const find = (code: FindingCode, what: string) =>
      findings.add(code, boot, index, `release ${releaseId}: ${what}`)
    const agreements: readonly (readonly [boolean, string])[] = [
      [decided.entry.boot === boot, `it was decided for ${decided.entry.boot}`],
      [end?.entry.event !== 'release.failed', 'its Verifier says that it failed'],
      [
        end?.entry.event !== 'release.issued' || end.entry.grantDigest === entry.grantDigest,
        'its Verifier issued another grant',
      ],
      [decided.entry.headerDigests.join() === entry.headerDigests.join(), 'it was decided for other objects'],
      [
        verifier.boot === decided.boot && verifier.index === decided.index,
        `its decision is entry ${decided.index} of ${decided.boot}, not ${verifier.index} of ${verifier.boot}`,
      ],
    ]
    for (const [holds, what] of agreements) if (!holds) find('release.contradicted', what)
    const size = logs.get(verifier.boot)?.replay.checkpoints.get(verifier.checkpointDigest)
    if (size === undefined)
      find(
        'checkpoint.missing',
        `the checkpoint of ${verifier.boot} that came with its grant is not in that log`,
      )
    else if (size <= verifier.index)
      find('release.contradicted', `checkpoint ${size} of ${verifier.boot} does not cover its decision`)
    const finals = workerEnds.filter((one) => FINAL.has(one.entry.event)).length
    if (finals > 1) find('release.repeated', `it ended ${finals} times`)
  }
}

function reportOf(
  { boot: log, index, entry }: Placed<'release.decided'>,
  life: Life,
  { manifests, lives: { deadLettered } }: Context,
): AllowedRelease {
  const { releaseId, time, boot, client, purpose, permission, dataset, reference, assurance, disclosure } =
    entry
  const ended = statusOf(releaseId, life, manifests)
  return {
    kind: 'allowed',
    releaseId,
    time,
    log,
    index,
    boot,
    client,
    purpose,
    permission,
    dataset,
    objects: entry.headerDigests.length,
    reference,
    assurance,
    disclosure,
    policySeq: entry.policySeq,
    ...ended,
    finishedBy: null,
    setAside: life.held.some(({ received }) => deadLettered.has(received.entry.jobId)),
  }
}

/** The worker's own word first; then its manifest, whose worker died before it could log it; then the Verifier's word. */
function statusOf(
  releaseId: string,
  { ends, held: [held] }: Life,
  manifests: ReadonlyMap<string, Manifest>,
): Pick<AllowedRelease, 'status' | 'code' | 'resultId'> {
  const none = { code: null, resultId: held?.intents.at(-1)?.entry.resultId ?? null }
  const [end] = held?.ends ?? []
  if (end !== undefined) {
    const { entry } = end
    const resultId = 'resultId' in entry ? entry.resultId : none.resultId
    return {
      status: STATUS_OF_END[entry.event],
      code: 'code' in entry ? entry.code : null,
      resultId,
    }
  }
  if (none.resultId !== null && manifests.get(none.resultId)?.manifest.releaseId === releaseId)
    return { ...none, status: 'visible' }
  if (held !== undefined) return { ...none, status: 'abandoned' }
  const [verdict] = ends
  if (verdict === undefined) return { ...none, status: 'unended' }
  return verdict.entry.event === 'release.failed'
    ? { ...none, status: 'withheld', code: verdict.entry.code }
    : { ...none, status: 'undelivered' }
}

/**
 * A worker that died leaves a release without an end. That is accounted for where another release of the same work
 * came to a result or the job was set aside, and the worker's log does not claim to be complete.
 */
function settle(releases: readonly AllowedRelease[], { lives, logs, findings }: Context): AllowedRelease[] {
  const finished = new Map<string, string>()
  for (const release of releases)
    if (
      release.status === 'visible' ||
      (release.status === 'superseded' && !finished.has(workOf(release, lives)))
    )
      finished.set(workOf(release, lives), release.releaseId)
  return releases.map((release) => {
    if (release.status !== 'abandoned' && release.status !== 'undelivered') return release
    const { releaseId, boot, status, setAside } = release
    const held = lives.releases.get(releaseId)?.held[0]?.received
    const finishedBy = finished.get(workOf(release, lives)) ?? null
    const closed = status === 'abandoned' && logs.get(boot)?.report.status === 'closed'
    if (closed)
      findings.add(
        'release.abandoned',
        boot,
        held?.index ?? null,
        `${boot} closed its log without an end of ${releaseId}`,
      )
    else if (finishedBy === null && !setAside && !logs.isMissing(boot))
      findings.add(
        'release.abandoned',
        boot,
        held?.index ?? null,
        status === 'abandoned'
          ? `${boot} received the key of release ${releaseId}, and no release of the same objects came to an end`
          : `release ${releaseId} was issued, ${boot} did not acknowledge it, and no other one came to an end`,
      )
    return { ...release, finishedBy }
  })
}

/** The same objects under the same permission: the same work. */
function workOf({ releaseId, dataset, permission }: AllowedRelease, { releases }: Lives): string {
  const headerDigests = releases.get(releaseId)?.decided[0]?.entry.headerDigests ?? []
  return [dataset, permission, ...headerDigests].join()
}

export function refusedRelease({ boot: log, index, entry }: Placed<'release.refused'>): RefusedRelease {
  const { denialId, time, boot, client, headerDigests, measurement, reasons } = entry
  return {
    kind: 'refused',
    denialId,
    time,
    log,
    index,
    boot,
    client,
    objects: headerDigests.length,
    measurement,
    reasons,
  }
}
