/**
 * One job from a file instead of the stream: to try a deployment, or to see why it is refused. It is never
 * set aside.
 */

import { untilAvailable } from '#adapters/system/outage.ts'
import { CodedError, codeOf, errorRow } from '#core/errors.ts'
import type { Job } from '#core/job/job.ts'
import type { Boot } from './boot.ts'
import { compute, readHeader, recordGrant, releaseJobOf } from './computation.ts'
import { WorkerRefused } from './workerRefused.ts'

/** Prints one JSON line on stdout; the exit code is 0 for a result, else that of the code. */
export async function runOne(job: Job, boot: Boot, signal: AbortSignal): Promise<number> {
  const { attester, evidence, store } = boot
  const print = (line: Record<string, unknown>) =>
    process.stdout.write(`${JSON.stringify({ jobId: job.jobId, ...line })}\n`)
  const challenge = await untilAvailable(() => attester.challenge(signal), boot, signal)
  const header = await readHeader(job, store, signal)
  const [answer] = await attester.ask(challenge, [releaseJobOf(job, header)], signal)
  if (answer === undefined) throw new CodedError('internal.fault', 'the job has no answer')
  const { jobId, traceparent } = job
  if (answer.kind === 'refused') {
    const refused = new WorkerRefused(answer.refusal)
    const { code, denialId } = refused
    evidence.append({ event: 'release.denied', jobId, traceparent, denialId, code })
    print({ outcome: 'refused', code, denialId })
    return errorRow(code).exit
  }
  const { releaseId } = answer.accepted.grant
  recordGrant(job, answer.accepted, evidence)
  try {
    const { kind, resultId } = await compute(job, header, answer, boot, signal)
    print({ outcome: kind, resultId })
    return 0
  } catch (error) {
    const code = codeOf(error)
    evidence.append({ event: 'job.failed', jobId, traceparent, releaseId, code })
    print({ outcome: 'failed', code })
    return errorRow(code).exit
  }
}
