/**
 * The refused side of the demo: guests that must not get the key ask for it, each with its own copy of the
 * job.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CodedError, type ErrorCode } from '#core/errors.ts'
import { type Job, JobFormat } from '#core/job/job.ts'
import type { CommandResult } from './command.ts'
import type { Deployment } from './deployment.ts'
import { PROBES } from './guests.ts'
import { parseLine } from './logLine.ts'
import type { RunStep } from './output.ts'

export type Refused = {
  readonly probe: string
  readonly machine: string
  readonly code: ErrorCode
  readonly denialId: string
}

/** Throws `internal.fault` if a probe is not refused, or for another reason than its own. */
export async function probe(deployment: Deployment, job: Job, step: RunStep): Promise<readonly Refused[]> {
  const refusals: Refused[] = []
  for (const { name, machine, code } of PROBES) {
    const file = join(deployment.folders.config, `${name}.job.json`)
    await writeFile(file, JobFormat.encode({ ...job, eventId: name }))
    refusals.push(
      await step(
        'probe',
        machine,
        async () => {
          const result = await deployment.guard(deployment.runJob(name, file))
          return { probe: name, machine, code, denialId: denialOf(result, name, code) }
        },
        (refused) => `refused, ${refused.code}`,
      ),
    )
  }
  return refusals
}

function denialOf({ exit, stdout, stderr }: CommandResult, name: string, code: ErrorCode): string {
  for (const text of `${stderr}\n${stdout}`.split('\n')) {
    const line = parseLine(text)
    if (exit === 1 && line?.['code'] === code && typeof line['denialId'] === 'string') return line['denialId']
  }
  throw new CodedError('internal.fault', `${name} ended with ${exit}; a refusal with ${code} was expected`)
}
