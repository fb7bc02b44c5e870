/**
 * Compares `release.interrupted` with the log that it is about. A later boot of the Verifier says that this
 * log has ended. Any later word contradicts it: an entry behind the named checkpoint, an end of the release,
 * or a worker that has the key.
 */
import type { Context } from './context.ts'
import type { Decided, History } from './histories.ts'

export function judgeInterruptions(
  decided: Decided,
  { interruptions, ends: [end], receipts: [receipt] }: History,
  { logs, findings }: Pick<Context, 'logs' | 'findings'>,
): void {
  for (const interrupted of interruptions) {
    const { releaseId, verifier } = interrupted.entry
    const find = findings.at(interrupted, `release ${releaseId}, interrupted`)
    const replay = logs.get(verifier.boot)?.replay
    const size = replay?.checkpoints.get(verifier.checkpointDigest)
    const agreements: readonly (readonly [boolean, string])[] = [
      [verifier.boot === decided.boot, `it was decided by ${decided.boot}, not by ${verifier.boot}`],
      [size === undefined || size === verifier.size, `the named checkpoint is of size ${size}`],
      [
        replay === undefined || replay.size <= verifier.size,
        `the log of ${verifier.boot} went on from ${verifier.size} to ${replay?.size} entries`,
      ],
      [end === undefined, `it ended with ${end?.entry.event}`],
      [receipt === undefined, `the worker ${receipt?.received.boot} received its key`],
    ]
    for (const [holds, what] of agreements) if (!holds) find('release.contradicted', what)
    if (size === undefined)
      find('checkpoint.missing', `the log of ${verifier.boot} does not have the named checkpoint`)
  }
}
