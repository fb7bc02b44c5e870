/** Follows a job from the upload's event to the sealed result, by what the programs log. */
import { formatBytes } from '#cli/terminal.ts'
import { checkShape } from '#core/canonical.ts'
import { CodedError, isErrorCode } from '#core/errors.ts'
import { resultId } from '#core/fields.ts'
import type { Job } from '#core/job/job.ts'
import type { Deployment } from './deployment.ts'
import type { LogWatch, ProgramLine } from './logWatch.ts'
import type { MemoryWatch } from './metrics.ts'
import type { RunStep } from './output.ts'
import { within } from './program.ts'

const WAIT_MILLISECONDS = 60_000
/** The throughput of the slowest machine that the demo waits for. */
const SLOWEST_BYTES_PER_MILLISECOND = 2000
const PROGRESS_MILLISECONDS = 5000

export type Processed = { readonly resultId: string; readonly worker: string; readonly releaseId: string }

/** Throws the job's code if it ended without a result. */
export async function followJob(
  { jobId, size }: Job,
  deployment: Deployment,
  { step, watch, memory }: { readonly step: RunStep; readonly watch: LogWatch; readonly memory: MemoryWatch },
): Promise<Processed> {
  const patience = WAIT_MILLISECONDS + size / SLOWEST_BYTES_PER_MILLISECOND
  const wait = <T>(work: Promise<T>, what: string) => deployment.guard(within(work, patience, what))

  await step(
    'function',
    'receives the event and puts a job on the stream',
    () => wait(watch.waitFor('event.decided', { jobId }), 'the event has not become a job'),
    () => `job ${jobId}`,
  )
  const released = await step(
    'workers',
    'one leases the job, attests its state and is granted the key',
    () => wait(watch.waitFor('released', { jobId }), 'no worker was granted the key'),
    ({ program, line }) => `${program}, ${String(line['assurance'])}, release ${String(line['releaseId'])}`,
  )
  const worker = released.program
  const id = await step(
    worker,
    'opens the object, filters it to the minimum, computes, seals the result',
    async (progress) => {
      const started = Date.now()
      const ticking = setInterval(() => {
        const seconds = Math.round((Date.now() - started) / 1000)
        progress(`working for ${seconds} s, ${formatBytes(memory.peaks.get(worker) ?? 0)} resident`)
      }, PROGRESS_MILLISECONDS)
      try {
        return resultIdOf(await wait(watch.waitFor('ended', { jobId }), 'the job has not ended'))
      } finally {
        clearInterval(ticking)
      }
    },
    (result) => `result ${result.slice(0, 32)}…`,
  )
  return { resultId: id, worker, releaseId: String(released.line['releaseId']) }
}

function resultIdOf({ program, line }: ProgramLine): string {
  const { outcome, code, detail } = line
  if (outcome === 'visible') return checkShape(resultId, detail, 'result id', 'internal.fault')
  throw new CodedError(
    typeof code === 'string' && isErrorCode(code) ? code : 'internal.fault',
    `the job ended as ${String(outcome)}, without a result; ${program}.log has the details`,
  )
}
