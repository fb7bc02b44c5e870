/** Follows each release from decision to end in both logs: they must agree. */
import type { Context, Rule } from '../context.ts'
import type { Decided, Life, Receipt } from '../life.ts'

export function agreement(context: Context): Rule {
  return {
    life: (life) => {
      const [decided] = life.decided
      if (decided === undefined) judgeUnknown(life, context)
      else judgeAgreement(decided, life, context)
    },
  }
}

function judgeUnknown({ releaseId, ends, interruptions, receipts }: Life, { logs, findings }: Context): void {
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
function judgeAgreement(decided: Decided, life: Life, context: Context): void {
  const {
    decided: [, ...more],
    ends,
    interruptions,
    receipts,
  } = life
  const { findings } = context
  const { releaseId } = decided.entry
  const subject = `release ${releaseId}`
  const [end, ...moreEnds] = ends
  for (const repeated of [...more, ...moreEnds])
    findings.at(repeated, subject)('release.repeated', `a second ${repeated.entry.event}`)
  for (const { received } of receipts.slice(1))
    findings.at(received, subject)('release.repeated', 'it was received before')
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
  end: Life['ends'][number] | undefined,
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
  const size = logs.get(verifier.boot)?.checkpoints.sizeOf(verifier.checkpointDigest)
  if (size === undefined)
    find('checkpoint.missing', `the log of ${verifier.boot} does not have the checkpoint of the grant`)
  else if (size <= verifier.index)
    find('release.contradicted', `checkpoint ${size} of ${verifier.boot} does not cover its decision`)
}
