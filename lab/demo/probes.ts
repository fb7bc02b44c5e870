/** The other half: guests that must not get the object ask for it, each with a job put into its hand. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CodedError, type ErrorCode } from '#core/errors.ts'
import { type Job, JobFormat } from '#core/job/job.ts'
import type { CommandResult } from './command.ts'
import type { Deployment } from './deployment.ts'
import { PROBES } from './guests.ts'
import type { Narrator } from './output.ts'
import { parseLine } from './program.ts'

export type Refused = {
  readonly probe: string
  readonly who: string
  readonly code: ErrorCode
  readonly denialId: string
}

/** Throws `internal.fault` where one of them is not refused, or for another reason than its own. */
export async function probe(
  deployment: Deployment,
  job: Job,
  narrate: Narrator,
): Promise<readonly Refused[]> {
  const refusals: Refused[] = []
  for (const { name, who, code } of PROBES) {
    const file = join(deployment.folders.config, `${name}.job.json`)
    await writeFile(file, JobFormat.encode({ ...job, eventId: name }))
    refusals.push(
      await narrate(
        'somebody',
        `${who} asks for it`,
        async () => {
          const result = await deployment.guard(deployment.runJob(name, file))
          return { probe: name, who, code, denialId: denialOf(result, name, code) }
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
  throw new CodedError('internal.fault', `${name} was not refused with ${code}, but ended with ${exit}`)
}
