/** The messages that a deployment has put on its streams. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DeadLetterFormat } from '#core/job/deadLetter.ts'
import { STREAMS } from '#lab/demo/names.ts'
import { StreamEntry } from '#lab/emulator/streaming/entries.ts'
import type { SystemUnderTest } from './systemUnderTest.ts'

/** Reads the emulator's own journal, because no principal may read dead letters through the API. */
export async function messagesOn(
  { deployment }: SystemUnderTest,
  stream: string,
): Promise<readonly Buffer[]> {
  const journal = await readFile(join(deployment.folders.emulator, 'streaming', 'streams.journal'), 'utf8')
  return journal
    .split('\n')
    .slice(0, -1)
    .map((line) => StreamEntry.parse(JSON.parse(line)))
    .flatMap((entry) =>
      entry.kind === 'put' && entry.stream === stream ? [Buffer.from(entry.value, 'base64')] : [],
    )
}

export async function deadLetters(system: SystemUnderTest) {
  return (await messagesOn(system, STREAMS.deadLetters)).map((value) => DeadLetterFormat.decode(value))
}

/** The number of times that a job was put on the jobs stream. */
export async function timesPublished(system: SystemUnderTest, jobId: string): Promise<number> {
  const messages = await messagesOn(system, STREAMS.jobs)
  return messages.filter((message) => message.includes(`"jobId":"${jobId}"`)).length
}
