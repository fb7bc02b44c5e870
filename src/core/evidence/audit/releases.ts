/** Follows each release from decision to end in both logs, and reports its outcome. */
import type { Context } from './context.ts'
import { judgeDecision } from './decisions.ts'
import type { Accepted, Decided, Histories, History, Receipt, WorkerEnd } from './histories.ts'
import { judgeInterruptions } from './interruptions.ts'
import type { AllowedRelease, ReleaseStatus } from './report.ts'

const STATUS_OF_END: Readonly<Record<WorkerEnd['entry']['event'], ReleaseStatus>> = {
  'result.visible': 'visible',
  'result.superseded': 'superseded',
  'result.foreign': 'foreign',
  'job.failed': 'failed',
  'job.returned': 'returned',
  'job.dead-lettered': 'dead-lettered',
}

export function judgeReleases(context: Context): AllowedRelease[] {
  const releases: AllowedRelease[] = []
  for (const [releaseId, history] of context.histories.releases) {
    const [decided] = history.decided
    if (decided === undefined) judgeUnknown(releaseId, history, context)
    else {
      judgeAgreement(decided, history, context)
      judgeDecision(decided, context)
      // Without the entry on its worker, which is a finding, no one can say to whom it was.
      if (decided.accepted !== undefined) releases.push(reportOf(decided, decided.accepted, history, context))
    }
  }
  return settle(releases, context)
}

function judgeUnknown(
  releaseId: string,
  { ends, interruptions, receipts }: History,
  { logs, findings }: Context,
): void {
  const told = interruptions.filter(({ entry }) => !logs.isMissing(entry.verifier.boot))
  for (const end of [...ends, ...told])
    findings.at(end)('release.unknown', `${end.entry.event} of release ${releaseId}, which was not decided`)
  for (const { received } of receipts) {
    const { boot, index } = received.entry.verifier
    if (logs.isMissing(boot)) continue
    const find = findings.at(received, `release ${releaseId}`)
    find('release.unknown', `no Verifier's log has it; entry ${index} of ${boot} should be its decision`)
  }
}

/** One decision, one end or interruption, at most one receipt, and logs that agree. */
function judgeAgreement(decided: Decided, history: History, context: Context): void {
  const {
    decided: [, ...more],
    ends,
    interruptions,
    receipts,
  } = history
  const { findings } = context
  const { releaseId } = decided.entry
  const subject = `release ${releaseId}`
  const [end, ...moreEnds] = ends
  for (const repeated of [...more, ...moreEnds])
    findings.at(repeated, subject)('release.repeated', `a second ${repeated.entry.event}`)
  for (const { received } of receipts.slice(1))
    findings.at(received, subject)('release.repeated', 'it was received before')
  judgeInterruptions(decided, history, context)
  if (end === undefined) {
    if (interruptions.length === 0)
      findings.at(decided, subject)('release.unended', 'it was decided and has no end')
  } else if (end.boot !== decided.boot || end.index < decided.index)
    findings.at(end, subject)('release.contradicted', 'its end does not follow its decision')
  for (const receipt of receipts) judgeReceipt(receipt, decided, end, context)
}

function judgeReceipt(
  { received }: Receipt,
  decided: Decided,
  end: History['ends'][number] | undefined,
  { logs, findings }: Context,
): void {
  const { boot, entry } = received
  const { verifier } = entry
  const find = findings.at(received, `release ${entry.releaseId}`)
  const agreements: readonly (readonly [boolean, string])[] = [
    [
      decided.accepted === undefined || decided.accepted.boot === boot,
      `it was decided for ${decided.accepted?.boot}`,
    ],
    [end?.entry.event !== 'release.failed', "its Verifier's log says that it failed"],
    [
      end?.entry.event !== 'release.issued' || end.entry.grantDigest === entry.grantDigest,
      'its Verifier issued another grant',
    ],
    [decided.entry.headerDigests.join() === entry.headerDigests.join(), 'it was decided for other objects'],
    [decided.entry.traceparent === entry.traceparent, 'it was decided under another trace'],
    [
      verifier.boot === decided.boot && verifier.index === decided.index,
      `its decision is entry ${decided.index} of ${decided.boot}, not ${verifier.index} of ${verifier.boot}`,
    ],
  ]
  for (const [holds, what] of agreements) if (!holds) find('release.contradicted', what)
  const size = logs.get(verifier.boot)?.replay.checkpoints.get(verifier.checkpointDigest)
  if (size === undefined)
    find('checkpoint.missing', `the log of ${verifier.boot} does not have the checkpoint of the grant`)
  else if (size <= verifier.index)
    find('release.contradicted', `checkpoint ${size} of ${verifier.boot} does not cover its decision`)
}

function reportOf(
  { boot: log, index, entry }: Decided,
  { boot, client, purpose, reference, assurance, policySeq }: Accepted,
  history: History,
  { manifests, histories: { deadLettered, deadLetteredObjects, deadLetteredTraces } }: Context,
): AllowedRelease {
  const { releaseId, time, permission, dataset, disclosure } = entry
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
    policySeq,
    ...statusOf(releaseId, history, manifests),
    finishedBy: null,
    // A worker that died may not have logged the receipt, which names the job; the objects tie the two
    // together, and the trace if the object was gone before another worker could read its header.
    setAside:
      history.receipts.some(({ received }) => deadLettered.has(received.entry.jobId)) ||
      entry.headerDigests.every((digest) => deadLetteredObjects.has(digest)) ||
      deadLetteredTraces.has(entry.traceparent),
  }
}

/**
 * The worker's log decides first. Its manifest is next, since a worker may die before it logs the result. The
 * Verifier's log is last.
 */
function statusOf(
  releaseId: string,
  { ends, interruptions, receipts: [receipt] }: History,
  manifests: Context['manifests'],
): Pick<AllowedRelease, 'status' | 'code' | 'resultId'> {
  const resultId = receipt?.intents.at(-1)?.entry.resultId ?? null
  const none = { code: null, resultId }
  // A failure comes before what became of the job.
  const end = receipt?.ends.find(({ entry }) => 'resultId' in entry) ?? receipt?.ends.at(-1)
  if (end !== undefined) {
    const { entry } = end
    return {
      status: STATUS_OF_END[entry.event],
      code: 'code' in entry ? entry.code : null,
      resultId: 'resultId' in entry ? entry.resultId : resultId,
    }
  }
  if (resultId !== null && manifests.get(resultId)?.manifest.releaseId === releaseId)
    return { ...none, status: 'visible' }
  if (receipt !== undefined) return { ...none, status: 'abandoned' }
  const [issued] = ends
  if (issued === undefined) return { ...none, status: interruptions.length === 0 ? 'unended' : 'interrupted' }
  return issued.entry.event === 'release.failed'
    ? { ...none, status: 'withheld', code: issued.entry.code }
    : { ...none, status: 'undelivered' }
}

/**
 * A worker that died leaves a release without an end. That is no finding if another release of the same work
 * led to a result or the job was set aside, and the worker's log does not claim to be complete.
 */
function settle(
  releases: readonly AllowedRelease[],
  { histories, logs, findings }: Context,
): AllowedRelease[] {
  const finished = new Map<string, string>()
  for (const release of releases) {
    const work = workOf(release, histories)
    const { status, releaseId } = release
    if (status === 'visible' || (status === 'superseded' && !finished.has(work)))
      finished.set(work, releaseId)
  }
  return releases.map((release) => {
    const { releaseId, boot, status, setAside } = release
    if (status !== 'abandoned' && status !== 'undelivered') return release
    const index = histories.releases.get(releaseId)?.receipts[0]?.received.index ?? null
    const find = findings.at({ boot, index }, `release ${releaseId}`)
    const finishedBy = finished.get(workOf(release, histories)) ?? null
    if (status === 'abandoned' && logs.get(boot)?.report.status === 'closed')
      find('release.abandoned', `${boot} closed its log without an end of it`)
    else if (finishedBy === null && !setAside && !logs.isMissing(boot))
      find(
        'release.abandoned',
        status === 'abandoned'
          ? `${boot} received its key, and no release of the same objects has an end`
          : `it was issued, ${boot} did not acknowledge it, and no other release of its objects has an end`,
      )
    return { ...release, finishedBy }
  })
}

/** The same objects under the same permission are the same work. */
function workOf({ releaseId, dataset, permission }: AllowedRelease, { releases }: Histories): string {
  const headerDigests = releases.get(releaseId)?.decided[0]?.entry.headerDigests ?? []
  return [dataset, permission, ...headerDigests].join()
}
