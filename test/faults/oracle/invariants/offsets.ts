/**
 * Committed offsets never pass unfinished work: every message below the group's offset has a result, a dead
 * letter, or a later copy of its job on the stream.
 */
import { textOf, textsOf } from '../json.ts'
import { sha256 } from '../merkle.ts'
import type { Message } from '../streams.ts'
import type { Traces } from '../traces.ts'
import type { Violation } from '../world.ts'

export async function judgeOffsets(traces: Traces): Promise<readonly Violation[]> {
  const { world, streams, deadLetters } = traces
  const jobs = streams.messages.filter(({ stream }) => stream === world.streams.jobs)
  const finished = await finishedJobs(traces)
  const setAside = new Set(deadLetters.map(({ body }) => textOf(body['digest'])))
  const violations: Violation[] = []
  for (const [place, message] of jobs.entries()) {
    const { partition, offset, bytes } = message
    if (offset >= (streams.committed.get(partition) ?? 0)) continue
    const jobId = jobOf(message)
    const again = jobs.slice(place + 1).some((later) => jobId !== '' && jobOf(later) === jobId)
    if (again || finished.has(jobId) || setAside.has(sha256(bytes).toString('base64url'))) continue
    violations.push({
      invariant: 'offset.passed',
      subject: `partition ${partition}, offset ${offset}`,
      text: `job ${jobId} is committed, without a result, a dead letter or a later copy`,
    })
  }
  return violations
}

/** The jobs with a result or a dead letter. */
async function finishedJobs({ world, manifests, deadLetters, workerState }: Traces): Promise<Set<string>> {
  const results = new Set(manifests.flatMap(({ payload }) => textsOf(payload['headerDigests'])))
  const names = new Set(manifests.map(({ name }) => name))
  const finished = new Set(deadLetters.map(({ body }) => textOf(body['jobId'])))
  finished.delete('')
  for (const { jobId, headerDigest } of world.uploads) if (results.has(headerDigest)) finished.add(jobId)
  for (const { name, bytes } of workerState.values())
    if (name.startsWith('done/') && names.has(`r/${(await bytes()).toString('latin1')}/result`))
      finished.add(name.slice('done/'.length))
  return finished
}

function jobOf({ body }: Message): string {
  return textOf(body['jobId'])
}
