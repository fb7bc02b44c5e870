/** One job from a hand instead of the stream: to try a deployment, or to see why it is refused. Nothing is set aside. */
import { CodedError, codeOf, errorRow } from '#core/errors.ts'
import type { Job } from '#core/job/job.ts'
import { type Crew, untilAvailable, WorkerRefused } from './batch.ts'
import { compute, readHeader, recordGrant } from './computation.ts'

/** Prints one JSON line on stdout; the exit code is 0 for a result, else that of the code. */
export async function runOne(job: Job, crew: Crew, signal: AbortSignal): Promise<number> {
  const { attester, desk, workshop } = crew
  const print = (line: Record<string, unknown>) =>
    process.stdout.write(`${JSON.stringify({ jobId: job.jobId, ...line })}\n`)
  const challenge = await untilAvailable(() => attester.challenge(signal), crew, signal)
  const header = await readHeader(job, desk.store, signal)
  const [answer] = await attester.ask(challenge, [header.release], signal)
  if (answer === undefined) throw new CodedError('internal.fault', 'the job has no answer')
  const { jobId, traceparent } = job
  if (answer.kind === 'refused') {
    const refused = new WorkerRefused(answer.refusal)
    const { code, denialId } = refused
    desk.evidence.append({ event: 'release.denied', jobId, traceparent, denialId, code })
    print({ outcome: 'refused', code, denialId })
    return errorRow(code).exit
  }
  const { releaseId } = answer.accepted.grant
  recordGrant(job, answer.accepted, desk.evidence)
  try {
    const { kind, resultId } = await compute(job, header, answer, workshop, signal)
    print({ outcome: kind, resultId })
    return 0
  } catch (error) {
    const code = codeOf(error)
    desk.evidence.append({ event: 'job.failed', jobId, traceparent, releaseId, code })
    print({ outcome: 'failed', code })
    return errorRow(code).exit
  }
}
