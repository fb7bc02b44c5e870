/**
 * One job from a file instead of the stream: to try a deployment, or to see why it is refused. It is never
 * set aside.
 */

import { untilAvailable } from '#adapters/system/outage.ts'
import { CodedError, codeOf, errorRow } from '#core/errors.ts'
import type { Job } from '#core/job/job.ts'
import type { Challenge } from '#core/release/nonce.ts'
import { type Denial, RequestRefused } from '#core/release/refusal.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import type { Attester, GrantedJob } from './attester.ts'
import type { Boot } from './boot.ts'
import { compute, recordGrant } from './computation.ts'
import { readInput, releaseJobOf } from './input.ts'
import { show } from './publication.ts'

/** Prints one JSON line on stdout; the exit code is 0 for a result, else that of the code. */
export async function runOne(job: Job, boot: Boot, signal: AbortSignal): Promise<number> {
  const { attester, evidence, objects } = boot
  const print = (line: Record<string, unknown>) =>
    process.stdout.write(`${JSON.stringify({ jobId: job.jobId, ...line })}\n`)
  const challenge = await untilAvailable(() => attester.challenge(signal), boot, signal)
  const input = await readInput(job, objects, signal)
  const answer = await askFor(releaseJobOf(job, input), challenge, attester, signal)
  const { jobId, traceparent } = job
  if (answer.kind === 'refused') {
    const { code, denialId } = answer.denial
    evidence.append({ event: 'release.denied', jobId, traceparent, denialId, code })
    print({ outcome: 'refused', code, denialId })
    return errorRow(code).exit
  }
  const { releaseId } = answer.accepted.grant
  recordGrant(job, answer.accepted, evidence)
  try {
    const computed = await compute(job, input, answer, boot, signal)
    const { kind, resultId } = computed.kind === 'announced' ? await show(computed, boot, signal) : computed
    print({ outcome: kind, resultId })
    return 0
  } catch (error) {
    const code = codeOf(error)
    evidence.append({ event: 'job.failed', jobId, traceparent, releaseId, code })
    print({ outcome: 'failed', code })
    return errorRow(code).exit
  }
}

/** The answer to the one job. What refuses the request as a whole refuses it too. */
async function askFor(
  job: ReleaseJob,
  challenge: Challenge,
  attester: Attester,
  signal: AbortSignal,
): Promise<GrantedJob | { readonly kind: 'refused'; readonly denial: Denial }> {
  try {
    const [answer] = await attester.ask(challenge, [job], signal)
    if (answer === undefined) throw new CodedError('internal.fault', 'the job has no answer')
    return answer
  } catch (error) {
    if (!(error instanceof RequestRefused)) throw error
    return { kind: 'refused', denial: error }
  }
}
