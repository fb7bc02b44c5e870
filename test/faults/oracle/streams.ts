/** What lies on the streams and how far the group has come, from the emulator's own journal. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Json, linesOf, numberOf, parseObject, textOf } from './json.ts'

export type Message = {
  readonly stream: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds of the emulator's clock. */
  readonly time: number
  readonly bytes: Buffer
  /** Its fields, if it is JSON. */
  readonly body: Json
}

export type StreamState = {
  /** In the order in which they were put. */
  readonly messages: readonly Message[]
  /** By partition of the jobs stream: the offset where the group continues. */
  readonly committed: ReadonlyMap<number, number>
}

export async function readStreams(
  folder: string,
  { jobs, group }: { readonly jobs: string; readonly group: string },
): Promise<StreamState> {
  const journal = await readFile(join(folder, 'streaming', 'streams.journal'), 'utf8')
  const messages: Message[] = []
  const committed = new Map<number, number>()
  for (const line of linesOf(journal)) {
    const entry = parseObject(line) ?? {}
    const stream = textOf(entry['stream'])
    const partition = numberOf(entry['partition'])
    const offset = numberOf(entry['offset'])
    if (entry['kind'] === 'commit' && stream === jobs && entry['group'] === group)
      committed.set(partition, offset)
    if (entry['kind'] !== 'put') continue
    const bytes = Buffer.from(textOf(entry['value']), 'base64')
    const body = parseObject(bytes.toString('utf8')) ?? {}
    messages.push({ stream, partition, offset, time: numberOf(entry['time']), bytes, body })
  }
  return { messages, committed }
}
