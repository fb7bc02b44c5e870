/**
 * Compares `release.interrupted` with the log that it is about. A later boot of the Verifier says that this
 * log has ended. Any later word contradicts it: an entry behind the named checkpoint, an end of the release,
 * or a worker that has the key.
 */
import type { Context, Rule } from '../context.ts'
import type { Life } from '../life.ts'

export function interruptions(context: Context): Rule {
  return { life: (life) => judgeInterruptions(life, context) }
}

function judgeInterruptions(
  { decided: [decided], interruptions: all, ends: [end], receipts: [receipt] }: Life,
  { logs, findings }: Context,
): void {
  if (decided === undefined) return
  for (const interrupted of all) {
    const { releaseId, verifier } = interrupted.entry
    const find = findings.at(interrupted, `release ${releaseId}, interrupted`)
    const log = logs.get(verifier.boot)
    const size = log?.checkpoints.sizeOf(verifier.checkpointDigest)
    const agreements: readonly (readonly [boolean, string])[] = [
      [verifier.boot === decided.boot, `it was decided by ${decided.boot}, not by ${verifier.boot}`],
      [size === undefined || size === verifier.size, `the named checkpoint is of size ${size}`],
      [
        log === undefined || log.size <= verifier.size,
        `the log of ${verifier.boot} went on from ${verifier.size} to ${log?.size} entries`,
      ],
      [end === undefined, `it ended with ${end?.entry.event}`],
      [receipt === undefined, `the worker ${receipt?.received.boot} received its key`],
    ]
    for (const [holds, what] of agreements) if (!holds) find('release.contradicted', what)
    if (size === undefined)
      find('checkpoint.missing', `the log of ${verifier.boot} does not have the named checkpoint`)
  }
}
